"""What providers write and read; pure: bytes in, values out, nothing raised on content."""
