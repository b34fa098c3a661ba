"""A page to come."""

from pages.shared import resources
from pages.shared.frame import frame

frame("Models", resources.active_model())
