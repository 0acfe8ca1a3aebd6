"""The entry. Docker asks for the metadata with each `docker help`, so that imports nothing."""

import json
import sys

from docker_offload import SUMMARY, VENDOR, VERSION

METADATA = "docker-cli-plugin-metadata"


def main() -> int:
    if sys.argv[1:2] == [METADATA]:
        known = {
            "SchemaVersion": "0.1.0",
            "Vendor": VENDOR,
            "Version": f"v{VERSION}",
            "ShortDescription": SUMMARY,
        }
        sys.stdout.write(json.dumps(known, indent=2) + "\n")
        return 0
    from docker_offload.cli import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
