"""Every key of the session and every name in an address: what it holds, and which module writes it.

Three kinds of keys, none of which can be another:

- The app's own begin with ``app.``; a column has no dot in its name. One of many of a kind ends in what tells it from
  the others: ``app.promote.2``.
- An input's slider has the input's name. Streamlit writes a slider's key into the address, and where that name is one
  of the app's there, the input is ``input.version``.
- A widget of the app that Streamlit writes into the address has the name that it has there, too: ``coverage``.
"""

from typing import NamedTuple

from data.schema import FEATURES

PREFIX = "app."


class Entry(NamedTuple):
    """What a key or a name in the address holds, and the modules that write it."""

    holds: str
    writers: str


KEYS: dict[str, Entry] = {}  # of the session, the app's own
PARAMETERS: dict[str, Entry] = {}  # of an address, the app's


def _own(name: str, holds: str, writers: str) -> str:
    KEYS[PREFIX + name] = Entry(holds, writers)
    return PREFIX + name


def _parameter(name: str, holds: str, writers: str) -> str:
    PARAMETERS[name] = Entry(holds, writers)
    return name


# In an address. Score's level and the views of evidence are bound to their widgets, and are keys of the session, too.
COVERAGE = _parameter("coverage", "level of the intervals on the What-if page", "controls")
SCORE_COVERAGE = _parameter("score_coverage", "level of the interval on the Score page", "score")
VIEW = _parameter("view", "view of the Explore page", "selection")
SELECTED = _parameter("selected", "code of each selected row", "selection")
BETWEEN = _parameter("between", "column, lowest and highest value of each range of the filter", "selection")
ONLY = _parameter("only", "each name of a row that the filter keeps", "selection")
EVIDENCE = _parameter("evidence", "view of the evidence on the only candidate", "evidence_panel")
EVIDENCE_OF_SEVERAL = _parameter("evidence_of_several", "view of the evidence on one of several", "evidence_panel")
VERSION = _parameter("version", "version that gave a link's number; version on the Models page", "links, models")
JOB = _parameter("job", "number of this visitor's job until it ends", "retrain, queue_panel")
CANDIDATE = _parameter("candidate", "version on the Retrain page", "retrain")
FROM = _parameter("from", "code of the row that a change starts from", "controls")
SIGN_IN = _parameter("sign_in", "that signing in failed", "door")
PARAMETERS |= {
    "to": Entry("where a change goes", "nobody yet"),
    "embed": Entry("how the page is embedded", "Streamlit"),
    "embed_options": Entry("how the page is embedded", "Streamlit"),
}

# All pages
UPLOAD = _own("upload", "component of each page, with the name of the file that its tab had before", "uploads")
UPLOAD_SEEN = _own("upload_seen", "whether each page had a file in this session", "uploads")
PAGE = _own("page", "title of the page that was shown last", "frame")
ACTIVE_VERSION = _own("active_version", "version that was active at the last run, for the word on a new one", "frame")
FRAME = _own("frame", "component", "frame")
VISITOR = _own("visitor", "what tells this visitor from others, where no cookie does", "visitors")
DOOR_IN = _own("door_in", "button", "door")
DOOR_OUT = _own("door_out", "button", "door")

READ_AS = _own("read_as", "name of a file -> its titles, where its header did not say enough", "reading")
MATCHED = _own("matched", "titles of a file -> name of a column -> title or place of the file's", "reading")

# What if
ENTERED = _own("entered", "that another page was shown, until the address is read", "frame, controls, selection")
INPUTS = _own("inputs", "epoch, number of the message, input -> value, code of the start, level", "controls")
PROBLEM = _own("problem", "what was wrong with the link, and the scenario at which that is said", "controls")
MOVED = _own("moved", "when the last move of the browser arrived", "metrics")
WHAT_IF = _own("what_if", "component, with the scenario that the browser sent last", "what_if, controls")
LINK_OPENED_AT = _own("link_opened_at", "scenario that a link with a version opened at", "links")
COMPARISON = _own("comparison", "component", "what_if")

# What would it take
GOAL = _own("goal", "container", "goal_form")
GOAL_FORM = _own("goal_form", "form", "goal_form")
GOAL_VALUE = _own("goal_value", "prediction to reach, as typed [unit of the target]", "goal_form")
GOAL_HELD = _own("goal_held", "inputs that stay as they are", "goal_form")
GOAL_FOUND = _own("goal_found", "what was sought, its answer and its version, or None; and a problem", "goal_form")
GOAL_APPLY = _own("goal_apply", "button", "goal_form")
GOAL_FITS = _own("goal_fits", "whether the sliders were where that begins or ends when it was drawn", "goal_form")
GOAL_APPLIED = _own("goal_applied", "that the sliders were moved, until the page has run", "goal_form")

# Kept scenarios
TRAY = _own("tray", "list of model.answering.scenarios.KeptScenario", "tray")
TRAY_CARD = _own("tray_card", "container", "tray")
TRAY_TABLE = _own("tray_table", "container", "tray")
TRAY_FORM = _own("tray_form", "form", "tray")
TRAY_NAME = _own("tray_name", "name of the scenario to keep", "tray")
TRAY_TOLD = _own("tray_told", "kind and text of a message, until it is shown", "tray")
TRAY_SHOWN = _own("tray_shown", "that the sliders were moved, until the page has run", "tray")
TRAY_CHANGES = _own("tray_changes", "container", "tray")
TRAY_CHOSEN = _own("tray_chosen", "name of the scenario to change", "tray")
TRAY_ROWS = _own("tray_rows", "component, with what was pressed in it and what the browser stores", "what_if")
TRAY_SESSION = _own("tray_session", "by which the browser knows that it speaks to another session", "browser_storage")
TRAY_REFUSED = _own("tray_refused", "whether the browser stores nothing for the page", "browser_storage")
TRAY_REMOVED = _own(
    "tray_removed", "ids of the scenarios that the browser is to remove from its storage", "browser_storage"
)
TRAY_AS_READ = _own("tray_as_read", "id -> scenario as it was restored, and its text in the storage", "browser_storage")
TRAY_UNREADABLE = _own("tray_unreadable", "id -> what is wrong with it in the browser's storage", "browser_storage")
TRAY_RESTORED = _own(
    "tray_restored", "kind and text of a word on what was restored; ids of which it is true", "browser_storage"
)
TRAY_FORGET = _own("tray_forget", "button", "browser_storage")
TRAY_SEEN = _own("tray_seen", "message after which the sliders were compared with", "tray")
TRAY_UP = _own("tray_up", "button", "tray")
TRAY_DOWN = _own("tray_down", "button", "tray")
TRAY_RENAME = _own("tray_rename", "form", "tray")
TRAY_NEW_NAME = _own("tray_new_name", "new name of the scenario", "tray")
TRAY_FILES = _own("tray_files", "container", "tray")
TRAY_FILE = _own("tray_file", "file of scenarios, another field after each", "tray")
TRAY_GENERATION = _own("tray_generation", "how many files were loaded", "tray")
TRAY_FROM = _own("tray_from", "name of the scenario that a comparison starts from", "tray")
TRAY_TO = _own("tray_to", "name of the scenario that it goes to", "tray")

# Explore
EXPLORE_BAR = _own("explore_bar", "container", "explore")
EXPLORE_OF = _own("explore_of", "fingerprint of the rows that filter and selection are of", "selection")
EXPLORE_ADDRESS = _own("explore_address", "component, which writes the address", "selection")
EXPLORE_LINK = _own("explore_link", "name -> values of an address that leads back to it", "selection")
EXPLORE_PROBLEMS = _own("explore_problems", "what was wrong with the link, and the selection of then", "selection")
EXPLORE_FILTER = _own("explore_filter", "popover", "selection")
EXPLORE_NTH_FILTER = _own("explore_nth_filter", "how many filters were taken away", "selection")
EXPLORE_RANGE = _own("explore_range", "both ends of a column in each filter [stored unit]", "selection")
EXPLORE_NAMES = _own("explore_names", "names of rows to keep in each filter", "selection")
EXPLORE_SELECTED = _own("explore_selected", "places of the selected rows", "selection")
EXPLORE_FIRST = _own("explore_first", "places of the rows that the table shows first", "selection")
EXPLORE_TABLE = _own(
    "explore_table", "container; with the rows shown and a number, the ticks of their table", "selection"
)
EXPLORE_NTH_VIEW = _own("explore_nth_view", "how many times the page was entered", "selection")
EXPLORE_VIEW = _own("explore_view", "view that is open, or is asked for", "selection")
EXPLORE_VIEWS = _own("explore_views", "view that is open in the tabs of each visit", "selection")
EXPLORE_NTH_TABLE = _own("explore_nth_table", "how many tables were drawn with ticks not made in them", "selection")
EXPLORE_MAP = _own("explore_map", "picture and what was picked in it", "explore")
EXPLORE_SHADE = _own("explore_shade", "column that shades the map", "explore")
EXPLORE_INPUT = _own("explore_input", "input of the picture", "explore")
EXPLORE_WITH_NAMES = _own("explore_with_names", "whether names stand beside the points", "explore")
EXPLORE_COLUMN = _own("explore_column", "column of the histogram", "explore")
EXPLORE_ONE = _own("explore_one", "picture and what was picked in it", "explore")
EXPLORE_SPREAD = _own("explore_spread", "picture and what was picked in it", "explore")
EXPLORE_PAIRS = _own("explore_pairs", "picture and what was picked in it", "explore")
EXPLORE_HEAT = _own("explore_heat", "picture", "explore")
EXPLORE_INFLUENCE = _own("explore_influence", "picture and what was picked in it", "explore")
EXPLORE_IMPORTANCE = _own("explore_importance", "picture", "explore")

# Retrain
RETRAIN_ROWS = _own("retrain_rows", "number of the data set to train on; 0 for a file", "proposal")
RETRAIN_DISTINCT = _own("retrain_distinct", "whether copies in a file are left out", "proposal")
RETRAIN_FILE = _own("retrain_file", "file of rows as it was sent", "proposal")
RETRAIN_SENT = _own("retrain_sent", "its name and content, while something is to be asked", "proposal")
RETRAIN_UPLOADED = _own("retrain_uploaded", "its name, rows or None, why it was refused, number of copies", "proposal")
RETRAIN_SHEET = _own("retrain_sheet", "sheet of an Excel file; with a part, the list of them", "proposal")
RETRAIN_MATCHING = _own("retrain_matching", "form; for each column that is wanted the place of the file's", "proposal")
RETRAIN_CHANGE = _own("retrain_change", "button", "proposal")
RETRAIN_LEFT_OUT = _own("retrain_left_out", "whether rows that cannot be used are left out", "proposal")
RETRAIN_EDITS = _own("retrain_edits", "whether rows are edited in the page", "proposal")
RETRAIN_TABLE = _own("retrain_table", "edits of each set of rows", "proposal")
RETRAIN_START = _own("retrain_start", "each set of rows as the editor started with it", "proposal")
RETRAIN_EDITED = _own("retrain_edited", "each set of rows as it was edited last", "proposal")
RETRAIN_ALGORITHM = _own("retrain_algorithm", "name of the algorithm", "proposal")
RETRAIN_PARAMETER = _own("retrain_parameter", "each parameter of each algorithm, as typed", "proposal")
RETRAIN_SEED = _own("retrain_seed", "seed, as typed", "proposal")
RETRAIN_CANDIDATE = _own("retrain_candidate", "version to judge, as in the address", "retrain")
RETRAIN_CANCEL = _own("retrain_cancel", "button of each job", "queue_panel")

# Evidence, on Retrain and Models
EVIDENCE_STANDINGS = _own("evidence_standings", "picture", "evidence_panel")
EVIDENCE_OBSERVED = _own("evidence_observed", "picture", "evidence_panel")
EVIDENCE_RESIDUALS = _own("evidence_residuals", "picture", "evidence_panel")
EVIDENCE_CURVES = _own("evidence_curves", "picture", "evidence_panel")
EVIDENCE_MOVES = _own("evidence_moves", "picture", "evidence_panel")
PROMOTE = _own("promote", "form of each version", "evidence_panel")
PROMOTE_SEEN_AGAINST = _own(
    "promote_seen_against", "version that was active when the evidence was seen", "evidence_panel"
)
PROMOTE_REASON = _own("promote_reason", "why each version is promoted", "evidence_panel")
PROMOTE_BY = _own("promote_by", "who promotes", "evidence_panel")
PROMOTE_AGREED = _own("promote_agreed", "tick of each version against the active one", "evidence_panel")

# Models
MODELS_TIMELINE = _own("models_timeline", "picture", "models")
MODELS_VERSION = _own("models_version", "version to look at, as in the address", "models")
MODELS_REMOVE = _own("models_remove", "button", "models")
MODELS_REMOVE_SET = _own("models_remove_set", "popover of each data set", "models")
MODELS_REMOVE_DATA = _own("models_remove_data", "button of each data set", "models")
MODELS_REMOVED = _own("models_removed", "what was removed or why not, until it is shown", "models")

# Score a file
SCORE_FILE = _own("score_file", "file as it was sent", "score")
SCORE_SENT = _own("score_sent", "name, content and id of that file, also over a visit to another page", "score")
SCORE_DONE = _own("score_done", "what was scored by which model at which level, and the result or why not", "score")
SCORE_SHEET = _own("score_sheet", "sheet of an Excel file; with a part, the list of them", "score")
SCORE_MATCHING = _own("score_matching", "form, and for each column that is wanted the place of the file's", "score")
SCORE_CHANGE = _own("score_change", "button", "score")
SCORE_PREVIEW = _own("score_preview", "which rows are shown", "score")
SCORE_PICTURE = _own("score_picture", "picture", "score")

NOW = "The sliders now"  # in place of a kept scenario's name

INPUT_KEYS = {column.name: column.name_beside(PARAMETERS) for column in FEATURES}  # of the sliders, and in an address


def part(key: str, *parts: object) -> str:
    """Return the key of one of many of a kind: ``part(PROMOTE, 2)`` -> ``"app.promote.2"``."""
    return ".".join([key, *map(str, parts)])


def css_class(key: str) -> str:
    """Return the class by which a style sheet or a script knows what has this key."""
    return f"st-key-{key.replace('.', '-')}"
