"""Programs that measure hilum on the machine they run on. See README.md; no test times anything."""
