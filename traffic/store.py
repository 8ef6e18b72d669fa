"""A folder with a SQLite database of answers and reviews, and the images that are kept.

    FOLDER/traffic.db       answers, images, reviews
    FOLDER/images/ab/ab12…  the images' files, named by their SHA-256

SQLite's write-ahead log lets one process record while others read and review.
"""

from __future__ import annotations

from traffic.answers import Answers
from traffic.reviews import Reviews


class TrafficStore(Answers, Reviews):
    """A traffic store: a `traffic.database.Database` with answers, images and reviews."""
