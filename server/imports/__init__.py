"""Files that people bring, and the same kinds of files handed out."""
