"""Common style of reports, figures and videos of flights and replays."""
