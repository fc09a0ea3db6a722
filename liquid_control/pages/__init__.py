"""How our pages and figures look: one style for the reports of flights and of replays."""
