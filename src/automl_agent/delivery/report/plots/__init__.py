"""The plots of the report. Each function returns one inline SVG whose colours are the page's own (`style.css`)."""
