"""The HTTP server that answers with the champion."""
