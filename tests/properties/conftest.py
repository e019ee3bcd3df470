"""How many examples: few and the same ones each time, or with --hypothesis-profile=long many."""

from hypothesis import HealthCheck, settings

_COMMON = {
    "deadline": None,  # a busy machine is no failure
    "print_blob": True,
    "database": None,
    "suppress_health_check": [HealthCheck.too_slow],
}
settings.register_profile("short", max_examples=15, derandomize=True, **_COMMON)
settings.register_profile("long", max_examples=1550, **_COMMON)  # 20,000 and more in all
settings.load_profile("short")
