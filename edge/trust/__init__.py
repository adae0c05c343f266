"""The trust room: identities, signatures and seals (what a node believes, and who can read what it says)."""
