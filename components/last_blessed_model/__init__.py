"""The resolver of the last blessed model."""
