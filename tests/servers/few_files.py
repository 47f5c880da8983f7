"""`resonate` that may have 256 files open: run as a module, with the arguments of the command."""

import resource

from app.cli.main import main

FILES = 256

if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES // 2, FILES))
    main()
