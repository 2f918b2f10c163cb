"""What the component exports: `detoxlm:filter/scoring`, by the class that componentize-py looks for."""

from boilerplate import Boilerplate, Settings, SettingsError
from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.scoring import (
    Descriptor,
    Failure_BadSettings,
    Sample,
    Verdict,
    Verdict_Abstain,
    Verdict_Reject,
    Verdict_Scores,
)


class Scoring(exports.Scoring):
    def describe(self) -> Descriptor:
        return Descriptor(
            name="boilerplate",
            version="0.1.0",
            summary="The share of words in boilerplate; rejects texts with unfilled places of templates.",
            attributes=["BOILERPLATE"],
            rejects=True,
        )

    def configure(self, settings: str) -> None:
        global plugin
        try:
            plugin = Boilerplate(Settings.parse(settings))
        except SettingsError as error:
            raise Err(Failure_BadSettings(str(error))) from error

    def score(self, batch: list[Sample]) -> list[Verdict]:
        return [verdict(*plugin.judge(sample.text)) for sample in batch]


def verdict(kind: str, what: str | float) -> Verdict:
    match kind:
        case "reject":
            return Verdict_Reject(what)
        case "abstain":
            return Verdict_Abstain(what)
        case _:
            return Verdict_Scores([what])
