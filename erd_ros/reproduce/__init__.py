"""The papers' tables anew: runs trained or taken as they are, scored, and written down."""
