"""Forecasts: features of the past of series, made by one pure module in training and in service alike."""

from headrace.runtimes.forecast.features import BadSeries, Plan
from headrace.runtimes.forecast.framing import Framing
from headrace.runtimes.forecast.runtime import INNER, Forecast

__all__ = ["INNER", "BadSeries", "Forecast", "Framing", "Plan"]
