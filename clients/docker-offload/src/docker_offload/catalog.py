"""Every command with its flags: parsing, help and completion read this one list."""

from docker_offload.options import Command, Flag

FORMAT = Flag(
    "format", 'Format the output ("pretty", "json")', short="f", default="pretty",
    choices=("pretty", "json"), complete="choices", shown_default="pretty",
)  # fmt: skip
ACCOUNT = Flag("account", "The account (organization) to use", short="a", complete="accounts")
SESSION = "[SESSION]"

COMMANDS = (
    Command(
        "accounts", "List the accounts that may pay for a session",
        "docker_offload.commands.accounts:accounts",
        (Flag(
            "format", 'Format the output ("table", "json")', short="f", default="table",
            choices=("table", "json"), complete="choices", shown_default="table",
        ),),
    ),
    Command(
        "config", "Show or change settings",
        "docker_offload.commands.config:config",
        (
            FORMAT,
            Flag("unset", "Take the setting back", kind="bool"),
        ),
        arguments="[NAME [VALUE]]", most=2,
        words=("account", "cacert", "idle-timeout", "portal"),
        more=(
            "account and idle-timeout are kept by the portal and hold on every machine;\n"
            "portal and cacert are kept on this machine."
        ),
        examples=(
            "docker offload config idle-timeout 10m",
            "docker offload config account acme",
            "docker offload config account --unset",
        ),
    ),
    Command(
        "diagnose", "Print diagnostic information",
        "docker_offload.commands.diagnose:diagnose",
        (FORMAT,),
    ),
    Command(
        "idle", "Make the session idle now",
        "docker_offload.commands.answer:idle",
        more="Answers the question whether you are still working; docker resumes the session.",
    ),
    Command(
        "insights", "Show what a session did",
        "docker_offload.commands.insights:insights",
        (FORMAT,),
        arguments=SESSION, most=1,
        more="Without SESSION: the one that runs, else your last one.",
    ),
    Command(
        "login", "Sign in to a portal",
        "docker_offload.commands.login:login",
        (
            Flag("portal", "The portal's address, such as https://portal.example"),
            Flag("cacert", "A file of certificate authorities to trust as well", complete="files"),
            Flag("no-browser", "Print the address, open nothing", kind="bool"),
        ),
        examples=("docker offload login --portal https://portal.example",),
    ),
    Command("logout", "Sign out", "docker_offload.commands.login:logout"),
    Command(
        "start", "Start a session and use its engine",
        "docker_offload.commands.start:start",
        (
            ACCOUNT,
            Flag("dry-run", "Say what would happen, start nothing", kind="bool"),
            Flag("gpu", "Request an engine with a GPU", short="g", kind="bool"),
            Flag("idle-timeout", "How long before the engine idles", kind="duration"),
            Flag(
                "label", "Label the session for charge-back (name=value)", short="l", kind="list",
                complete="labels",
            ),
            Flag("size", "The engine size", short="s", complete="sizes"),
            Flag(
                "timeout", "How long to wait for the engine to be ready", kind="duration",
                default=120, shown_default="2m",
            ),
        ),
        examples=(
            "docker offload start --account acme",
            "docker offload start --label job=nightly",
        ),
    ),
    Command(
        "status", "Show the status of the session",
        "docker_offload.commands.status:status",
        (
            ACCOUNT,
            Flag(
                "answer", 'How to answer when the portal asks ("stay", "idle")',
                choices=("stay", "idle"), complete="choices",
            ),
            FORMAT,
            Flag("watch", "Watch for changes", short="w", kind="bool"),
        ),
    ),
    Command(
        "stay", "Say that you are still working",
        "docker_offload.commands.answer:stay",
        more="Answers the question whether you are still working; it counts as activity.",
    ),
    Command(
        "stop", "Stop the session and remove everything on its engine",
        "docker_offload.commands.stop:stop",
        (ACCOUNT,),
        more=(
            "Containers, images and volumes of the session are deleted; push what you want to\n"
            "keep. Docker goes back to the context that it used before."
        ),
    ),
    Command(
        "version", "Show the version",
        "docker_offload.commands.version:version",
        (
            Flag("json", "As JSON", kind="bool"),
            Flag("short", "Only the number", kind="bool"),
        ),
    ),
)  # fmt: skip


def find(name: str) -> Command | None:
    return next((command for command in COMMANDS if command.name == name), None)
