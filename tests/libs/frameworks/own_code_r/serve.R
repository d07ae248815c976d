# Serves the logistic regression that train.R has fitted.
library(jsonlite)

weights <- unlist(fromJSON("coefficients.json"))

predict_columns <- function(columns) {
  names <- setdiff(names(weights), "(Intercept)")
  score <- weights[["(Intercept)"]] + Reduce(`+`, lapply(names, function(name) weights[[name]] * columns[[name]]))
  probability <- plogis(score)
  list(label = as.integer(probability > 0.5), probability = probability)
}

source("protocol.R")
