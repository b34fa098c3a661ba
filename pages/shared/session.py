"""Every key of the session and every name in an address: what it holds, and which module writes it.

Three kinds of keys, which cannot collide:

- The app's own keys begin with ``app.``; no column has a dot in its name. Where there are many of a kind, each key ends
  in what tells it from the others: ``app.promote.2``.
- An input's slider has the input's name as its key and in the address; if the app uses that name in the address itself,
  both are ``input.version``.
- A widget of the app that Streamlit writes into the address has its name there as its key: ``coverage``.
"""

from typing import NamedTuple

from data.schema import FEATURES

PREFIX = "app."


class Entry(NamedTuple):
    """What a key or a name in the address holds, and the modules that write it."""

    holds: str
    writers: str


KEYS: dict[str, Entry] = {}  # the app's own keys of the session
PARAMETERS: dict[str, Entry] = {}  # the app's own names in an address


def _key(name: str, holds: str, writers: str) -> str:
    KEYS[PREFIX + name] = Entry(holds, writers)
    return PREFIX + name


def _parameter(name: str, holds: str, writers: str) -> str:
    PARAMETERS[name] = Entry(holds, writers)
    return name


# In an address. Score's level and the views of evidence are bound to their widgets, so they are also keys.
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
BESIDE = _parameter("beside", "version beside the active one on What if", "evidence_panel")
SIGN_IN = _parameter("sign_in", "that signing in failed", "door")
PARAMETERS |= {
    "to": Entry("where a change goes", "nobody yet"),
    "embed": Entry("how the page is embedded", "Streamlit"),
    "embed_options": Entry("how the page is embedded", "Streamlit"),
}

# All pages
UPLOAD = _key("upload", "component of each page, with the name of the file that its tab had before", "uploads")
UPLOAD_SEEN = _key("upload_seen", "whether each page had a file in this session", "uploads")
PAGE = _key("page", "title of the page that was shown last", "frame")
ACTIVE_VERSION = _key("active_version", "version that was active at the last run, for the word on a new one", "frame")
FRAME = _key("frame", "component", "frame")
VISITOR = _key("visitor", "what tells this visitor from others, where no cookie does", "visitors")
DOOR_IN = _key("door_in", "button", "door")
DOOR_OUT = _key("door_out", "button", "door")

READ_AS = _key("read_as", "name of a file -> its titles, where its header did not say enough", "reading")
MATCHED = _key("matched", "titles of a file -> name of a column -> title or place of the file's", "reading")

# What if
ENTERED = _key("entered", "that another page was shown, until the address is read", "frame, controls, selection")
INPUTS = _key("inputs", "epoch, number of the message, input -> value, code of the start, level", "controls")
PROBLEM = _key("problem", "what was wrong with the link, and the scenario at which that is said", "controls")
MOVED = _key("moved", "when the last move of the browser arrived", "metrics")
WHAT_IF = _key("what_if", "component, with the scenario that the browser sent last", "what_if, controls")
LINK_OPENED_AT = _key("link_opened_at", "scenario that a link with a version opened at", "links")
REPORT = _key("report", "inputs and level that the page shows, for whoever writes the report", "report_button")
COMPARISON = _key("comparison", "component", "what_if")
BESIDE_VERSION = _key("beside_version", "number of the version beside the active one, or 0", "beside")

CONTOUR_OPEN = _key("contour_open", "whether two inputs at once are shown", "contour")
CONTOUR_ACROSS = _key("contour_across", "input across", "contour")
CONTOUR_UP = _key("contour_up", "input up", "contour")
CONTOUR = _key("contour", "component, with where it was clicked", "contour")

# What would it take
FIND = _key("find", "container", "find_form")
FIND_FORM = _key("find_form", "form", "find_form")
FIND_AIM = _key("find_aim", "one of model.answering.find.AIMS", "find_form")
FIND_VALUE = _key("find_value", "prediction to reach, as typed [unit of the target]", "find_form")
FIND_SUPPORT = _key("find_support", "how far from the rows an answer may be", "find_form")
FIND_SURE = _key("find_sure", "whether most refits must reach the aim, too", "find_form")
FIND_HELD = _key("find_held", "inputs that stay as they are", "find_form")
FIND_RANGES = _key("find_ranges", "what was changed in the table of ranges, steps and costs", "find_form")
FIND_CHOICES = _key("find_choices", "labels of a category that are allowed", "find_form")
FIND_COST = _key("find_cost", "cost of another choice, as typed", "find_form")
FIND_RESULT = _key("find_result", "model.answering.find.FindResult or None, its version, and a problem", "find_form")
FIND_APPLY = _key("find_apply", "button of each answer", "find_form")
FIND_KEEP = _key("find_keep", "button of each answer", "find_form")
FIND_FITS = _key("find_fits", "whether the sliders were where that begins or ends when it was drawn", "find_form")
FIND_APPLIED = _key("find_applied", "that another part of the page is behind, until it has run", "find_form")

# Kept scenarios
TRAY = _key("tray", "list of model.answering.scenarios.KeptScenario", "tray")
TRAY_CARD = _key("tray_card", "container", "tray")
TRAY_TABLE = _key("tray_table", "container", "tray")
TRAY_FORM = _key("tray_form", "form", "tray")
TRAY_NAME = _key("tray_name", "name of the scenario to keep", "tray")
TRAY_TOLD = _key("tray_told", "kind and text of a message, until it is shown", "tray")
TRAY_SHOWN = _key("tray_shown", "that the sliders were moved, until the page has run", "tray")
TRAY_CHANGES = _key("tray_changes", "container", "tray")
TRAY_CHOSEN = _key("tray_chosen", "name of the scenario to change", "tray")
TRAY_ROWS = _key("tray_rows", "component, with what was pressed in it and what the browser stores", "what_if")
TRAY_SESSION = _key("tray_session", "by which the browser knows that it speaks to another session", "browser_storage")
TRAY_REFUSED = _key("tray_refused", "whether the browser stores nothing for the page", "browser_storage")
TRAY_REMOVED = _key(
    "tray_removed", "ids of the scenarios that the browser is to remove from its storage", "browser_storage"
)
TRAY_AS_READ = _key("tray_as_read", "id -> scenario as it was restored, and its text in the storage", "browser_storage")
TRAY_UNREADABLE = _key("tray_unreadable", "id -> what is wrong with it in the browser's storage", "browser_storage")
TRAY_RESTORED = _key(
    "tray_restored", "kind and text of a word on what was restored; ids of which it is true", "browser_storage"
)
TRAY_FORGET = _key("tray_forget", "button", "browser_storage")
TRAY_SEEN = _key("tray_seen", "message after which the sliders were compared with", "tray")
TRAY_UP = _key("tray_up", "button", "tray")
TRAY_DOWN = _key("tray_down", "button", "tray")
TRAY_RENAME = _key("tray_rename", "form", "tray")
TRAY_NEW_NAME = _key("tray_new_name", "new name of the scenario", "tray")
TRAY_FILES = _key("tray_files", "container", "tray")
TRAY_FILE = _key("tray_file", "file of scenarios, another field after each", "tray")
TRAY_GENERATION = _key("tray_generation", "how many files were loaded", "tray")
TRAY_FROM = _key("tray_from", "name of the scenario that a comparison starts from", "tray")
TRAY_TO = _key("tray_to", "name of the scenario that it goes to", "tray")

# Explore
EXPLORE_BAR = _key("explore_bar", "container", "explore")
EXPLORE_OF = _key("explore_of", "fingerprint of the rows that filter and selection are of", "selection")
EXPLORE_ADDRESS = _key("explore_address", "component, which writes the address", "selection")
EXPLORE_LINK = _key("explore_link", "name -> values of an address that leads back to it", "selection")
EXPLORE_PROBLEMS = _key("explore_problems", "what was wrong with the link, and the selection of then", "selection")
EXPLORE_FILTER = _key("explore_filter", "popover", "selection")
EXPLORE_NTH_FILTER = _key("explore_nth_filter", "how many filters were taken away", "selection")
EXPLORE_RANGE = _key(
    "explore_range", "both ends of a column in each filter [stored unit], or labels of a category", "selection"
)
EXPLORE_NAMES = _key("explore_names", "names of rows to keep in each filter", "selection")
EXPLORE_SELECTED = _key("explore_selected", "places of the selected rows", "selection")
EXPLORE_FIRST = _key("explore_first", "places of the rows that the table shows first", "selection")
EXPLORE_TABLE = _key(
    "explore_table", "container; with the rows shown and a number, the ticks of their table", "selection"
)
EXPLORE_NTH_VIEW = _key("explore_nth_view", "how many times the page was entered", "selection")
EXPLORE_VIEW = _key("explore_view", "view that is open, or is asked for", "selection")
EXPLORE_VIEWS = _key("explore_views", "view that is open in the tabs of each visit", "selection")
EXPLORE_NTH_TABLE = _key("explore_nth_table", "how many tables were drawn with ticks not made in them", "selection")
EXPLORE_MAP = _key("explore_map", "picture and what was picked in it", "explore")
EXPLORE_SHADE = _key("explore_shade", "column that shades the map", "explore")
EXPLORE_INPUT = _key("explore_input", "input of the picture", "explore")
EXPLORE_WITH_NAMES = _key("explore_with_names", "whether names stand beside the points", "explore")
EXPLORE_COLUMN = _key("explore_column", "column of the histogram", "explore")
EXPLORE_ONE = _key("explore_one", "picture and what was picked in it", "explore")
EXPLORE_SPREAD = _key("explore_spread", "picture and what was picked in it", "explore")
EXPLORE_PAIRS = _key("explore_pairs", "picture and what was picked in it", "explore")
EXPLORE_PAIRED = _key("explore_paired", "inputs that are drawn in pairs", "explore")
EXPLORE_HEAT = _key("explore_heat", "picture", "explore")
EXPLORE_INFLUENCE = _key("explore_influence", "picture and what was picked in it", "explore")
EXPLORE_IMPORTANCE = _key("explore_importance", "picture", "explore")

# Retrain
RETRAIN_ROWS = _key("retrain_rows", "number of the data set to train on; 0 for a file", "proposal")
RETRAIN_DISTINCT = _key("retrain_distinct", "whether copies in a file are left out", "proposal")
RETRAIN_FILE = _key("retrain_file", "file of rows as it was sent", "proposal")
RETRAIN_SENT = _key("retrain_sent", "its name and content, while something is to be asked", "proposal")
RETRAIN_UPLOADED = _key("retrain_uploaded", "its name, rows or None, why it was refused, number of copies", "proposal")
RETRAIN_SHEET = _key("retrain_sheet", "sheet of an Excel file; with a part, the list of them", "proposal")
RETRAIN_MATCHING = _key("retrain_matching", "form; for each column that is wanted the place of the file's", "proposal")
RETRAIN_CHANGE = _key("retrain_change", "button", "proposal")
RETRAIN_LEFT_OUT = _key("retrain_left_out", "whether rows that cannot be used are left out", "proposal")
RETRAIN_EDITS = _key("retrain_edits", "whether rows are edited in the page", "proposal")
RETRAIN_TABLE = _key("retrain_table", "edits of each set of rows", "proposal")
RETRAIN_START = _key("retrain_start", "each set of rows as the editor started with it", "proposal")
RETRAIN_EDITED = _key("retrain_edited", "each set of rows as it was edited last", "proposal")
RETRAIN_ALGORITHM = _key("retrain_algorithm", "name of the algorithm", "proposal")
RETRAIN_PARAMETER = _key("retrain_parameter", "each parameter of each algorithm, as typed", "proposal")
RETRAIN_SEED = _key("retrain_seed", "seed, as typed", "proposal")
RETRAIN_CANDIDATE = _key("retrain_candidate", "version to judge, as in the address", "retrain")
RETRAIN_CANCEL = _key("retrain_cancel", "button of each job", "queue_panel")

# Evidence, on Retrain and Models
EVIDENCE_RANKING = _key("evidence_ranking", "picture", "evidence_panel")
EVIDENCE_OBSERVED = _key("evidence_observed", "picture", "evidence_panel")
EVIDENCE_RESIDUALS = _key("evidence_residuals", "picture", "evidence_panel")
EVIDENCE_CURVES = _key("evidence_curves", "picture", "evidence_panel")
EVIDENCE_MOVES = _key("evidence_moves", "picture", "evidence_panel")
PROMOTE = _key("promote", "form of each version", "evidence_panel")
PROMOTE_SEEN_AGAINST = _key(
    "promote_seen_against", "version that was active when the evidence was seen", "evidence_panel"
)
PROMOTE_REASON = _key("promote_reason", "why each version is promoted", "evidence_panel")
PROMOTE_BY = _key("promote_by", "who promotes", "evidence_panel")
PROMOTE_AGREED = _key("promote_agreed", "tick of each version against the active one", "evidence_panel")

# Models
MODELS_TIMELINE = _key("models_timeline", "picture", "models")
MODELS_VERSION = _key("models_version", "version to look at, as in the address", "models")
MODELS_REMOVE = _key("models_remove", "button", "models")
MODELS_REMOVE_SET = _key("models_remove_set", "popover of each data set", "models")
MODELS_REMOVE_DATA = _key("models_remove_data", "button of each data set", "models")
MODELS_REMOVED = _key("models_removed", "what was removed or why not, until it is shown", "models")

# Score a file
SCORE_FILE = _key("score_file", "file as it was sent", "score")
SCORE_SENT = _key("score_sent", "name, content and id of that file, also over a visit to another page", "score")
SCORE_DONE = _key("score_done", "what was scored by which model at which level, and the result or why not", "score")
SCORE_SHEET = _key("score_sheet", "sheet of an Excel file; with a part, the list of them", "score")
SCORE_MATCHING = _key("score_matching", "form, and for each column that is wanted the place of the file's", "score")
SCORE_CHANGE = _key("score_change", "button", "score")
SCORE_BESIDE = _key("score_beside", "version that is compared with the active one; 0 for none", "validation_panel")
SCORE_OTHER = _key("score_other", "another version, a scored file, a level: how well that did", "validation_panel")
SCORE_PREVIEW = _key("score_preview", "which rows are shown", "score")
SCORE_PICTURE = _key("score_picture", "picture", "score")

NOW = "The sliders now"  # instead of a kept scenario's name

INPUT_KEYS = {column.name: column.name_beside(PARAMETERS) for column in FEATURES}  # of the sliders, and in an address


def part(key: str, *parts: object) -> str:
    """Return the key of one of many of a kind: ``part(PROMOTE, 2)`` -> ``"app.promote.2"``."""
    return ".".join([key, *map(str, parts)])


def css_class(key: str) -> str:
    """Return the class by which a style sheet or a script finds the element with this key."""
    return f"st-key-{key.replace('.', '-')}"
