# Serves a linear model of R's own data: braking distances, twice as long when wet.
model <- lm(dist ~ speed, cars)

predict_columns <- function(columns) {
  unknown <- setdiff(columns$road, c("dry", "wet"))
  if (length(unknown)) stop("no road is called ", unknown[1])
  distance <- predict(model, data.frame(speed = columns$speed))
  list(prediction = unname(distance) * ifelse(columns$road == "wet", 2, 1))
}

source("protocol.R")
