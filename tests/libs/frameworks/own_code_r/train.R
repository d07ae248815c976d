# Fits a logistic regression on the rows of a run, says how it goes, and leaves a program that answers.
library(jsonlite)

job <- fromJSON(Sys.getenv("HEADRACE_JOB"), simplifyVector = TRUE)
rows <- read.csv(file.path(Sys.getenv("HEADRACE_DATA"), "train.csv"))
say <- function(...) cat(toJSON(list(...), auto_unbox = TRUE), "\n", sep = "", file = Sys.getenv("HEADRACE_EVENTS"), append = TRUE)

set.seed(job$seed)
say(progress = list(step = 0, of = 1, message = paste(nrow(rows), "rows")))
fitted <- glm(reformulate(job$features$name, job$target), binomial, rows)
say(metric = list(name = "deviance", value = fitted$deviance, step = 1))
print(round(coef(fitted), 2))

place <- Sys.getenv("HEADRACE_MODEL")
dir.create(place)
write(toJSON(as.list(coef(fitted)), auto_unbox = TRUE, digits = NA), file.path(place, "coefficients.json"))
write(toJSON(list(command = c("Rscript", "serve.R"))), file.path(place, "process.json"))
invisible(file.copy(c("serve.R", "protocol.R"), place))
