"""`python -m automl_agent.cli`, for where the command is not on the path."""

from automl_agent.cli.main import main

raise SystemExit(main())
