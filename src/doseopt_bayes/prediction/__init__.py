"""From a fitted curve of exposure to what is to be expected at each dose or regimen."""
