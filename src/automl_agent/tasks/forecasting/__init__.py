"""The task family of time-series forecasting."""

from automl_agent.tasks.forecasting.family import ForecastingFamily

FAMILY = ForecastingFamily()
