"""What was found for an aim, in Markdown."""

from data.schema import FEATURES, ROW, ROWS, TARGET, row_name
from model.answering.change import amount_in_words
from model.answering.find import Answer, FindResult, moves_in_words
from model.answering.neighbours import SUPPORT_LEVELS
from model.fitting.train import Model
from pages.shared.words.verdicts import capitalise
from pages.shared.words.wording import escape

_NO_BREAK = "\N{NO-BREAK SPACE}"


def outcome_in_words(result: FindResult) -> str:
    """Say what was found, before the answers."""
    question, now = result.question, TARGET.estimate(result.start_prediction)
    if not result.answers:
        return f"**Nothing {_nearness(result)} was found** in these ranges. Let more inputs move, or look farther away."
    best, aim = result.answers[0], result.aim_in_words
    if not result.is_reached:
        closest = f"the closest is {TARGET.estimate(best.prediction.value)}"
        here = "" if best.cost else ", which is where the sliders are"
        where = f" {_nearness(result)}" if question.support != SUPPORT_LEVELS[-1] else ""
        return f"**No way to {aim} was found** in these ranges{where}; {closest}{here}."
    if not best.cost:
        return f"It is {now} already{'' if question.goal is None else f': {aim} is reached'}."
    order = "The best first." if question.goal is None else "The cheapest first."
    sentences = [f"**{aim}**, from {now}.", *([order] if len(result.answers) > 1 else [])]
    if not result.is_sure:
        surest = max(answer.share or 0 for answer in result.answers)
        sentences.append(
            f"Nothing was found that {question.share * 100:.0f} of 100 refits say reaches it; of these, at most "
            f"{surest * 100:.0f} do."
        )
    return " ".join(sentences)


def _nearness(result: FindResult) -> str:
    return f"close to real {ROWS}" if result.question.support == SUPPORT_LEVELS[0] else f"near enough to real {ROWS}"


def answer_in_words(model: Model, result: FindResult, answer: Answer) -> str:
    """Say what an answer changes, what is predicted there, how sure that is, and which real row is like it."""
    moves = ", ".join(
        f"{escape(label)} {escape(old)} → **{escape(new)}**".replace(" ", _NO_BREAK)
        for label, old, new in moves_in_words(result, answer)
    )
    change, nearest = answer.change, answer.prediction.nearest[0]
    ends = (
        ""
        if change.low is None or change.high is None
        else f" ({change.level * 100:g}{_NO_BREAK}%: {amount_in_words(change.low)} to {amount_in_words(change.high)})"
    )
    number = f"{TARGET.estimate(answer.prediction.value)} {TARGET.unit}".rstrip()
    sentences = [
        f"{capitalise(moves)}.",
        f"About **{number}**, {amount_in_words(change.value)} than where the sliders were{ends}.",
    ]
    if answer.share is not None:
        says = "reach it" if result.question.goal is not None else "say " + ("more" if change.value > 0 else "less")
        sentences.append(f"{answer.share * 100:.0f} of 100 refits {says}.")
    if answer.is_steady is False:
        sentences.append("One slider step further or back misses it.")
    sentences.append(f"{cost_in_words(result, answer)}. {_support_in_words(answer)} {escape(row_name(nearest.name))}")
    return f"{' '.join(sentences)} ({nearest.distance:.1f}{_NO_BREAK}s.d. away)."


def _support_in_words(answer: Answer) -> str:
    support = answer.prediction.support
    if support == "near":
        return f":primary-badge[close to real {ROWS}] Closest is"
    return f":{'red' if support == 'very far' else 'orange'}-badge[{support} from every {ROW}] Closest is"


def cost_in_words(result: FindResult, answer: Answer) -> str:
    """Write what an answer costs: ``"Cost 0.66 standard deviations"``."""
    start, scenario = result.question.start, answer.prediction.scenario
    has_unit = result.question.has_usual_costs and not any(
        column.choices and start[column.name] != scenario[column.name] for column in FEATURES
    )
    return f"Cost {answer.cost:.2f}{' standard deviations' if has_unit else ''}"


def name_of(result: FindResult, answer: Answer) -> str:
    """Name an answer that is kept: ``"500 or less: 1"``."""
    return f"{result.aim_in_words}: {result.answers.index(answer) + 1}"
