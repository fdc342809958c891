"""The figure behind the alarm that work was set aside and waits for a person."""

from shared import names
from shared.runtime.config import required


def count_set_aside(count: int) -> None:
    """Count events or deliveries that nothing but a person moves on; nothing costs nothing."""
    if not count:
        return
    # Seldom needed, so no start pays for it.
    from aws_lambda_powertools.metrics import (  # noqa: PLC0415
        EphemeralMetrics,
        MetricUnit,
    )

    metrics = EphemeralMetrics(namespace=names.METRICS, service=names.SET_ASIDE)
    metrics.add_dimension(name=names.METRIC_STAGE, value=required(names.ENV_STAGE))
    metrics.add_metric(name=names.METRIC_SET_ASIDE, unit=MetricUnit.Count, value=count)
    metrics.flush_metrics()
