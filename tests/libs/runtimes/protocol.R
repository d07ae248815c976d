# The process protocol, version 1: asks the function `predict_columns` for every batch, until standard input ends.
library(jsonlite)

requests <- file("stdin", "rb")
answers <- file(Sys.getenv("HEADRACE_ANSWERS"), "wb")
say <- function(message) {
  body <- charToRaw(toJSON(message, auto_unbox = FALSE, digits = NA, na = "null"))
  writeBin(length(body), answers, size = 4, endian = "big")
  writeBin(body, answers)
  flush(answers)
}

while (length(size <- readBin(requests, "integer", 1, size = 4, endian = "big"))) {
  message <- fromJSON(rawToChar(readBin(requests, "raw", size)))
  say(if (!is.null(message$hello)) list(hello = list(version = unbox(1))) else tryCatch(
    list(id = unbox(message$id), outputs = predict_columns(message$columns)),
    error = function(e) list(id = unbox(message$id), error = unbox(conditionMessage(e)))))
}
