"""How many examples a property draws: its own number with each run of the tests, twenty times it in `make prove`."""

from hypothesis import HealthCheck, settings

EVERY_TIME = "untimed"
WHOLE = "prove"
EXAMPLES = 100


def register_profiles() -> None:
    """Properties are judged by what they compute, not by how busy the machine is; the whole proof draws anew."""
    patient = settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow], deadline=None)
    settings.register_profile(EVERY_TIME, patient)
    settings.register_profile(WHOLE, patient, max_examples=20 * EXAMPLES, derandomize=False)


def examples(count: int) -> int:
    """What a property that draws `count` examples draws under the profile of this run."""
    return count * settings.default.max_examples // EXAMPLES
