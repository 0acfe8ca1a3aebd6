"""Who takes part, and what they run."""

from dataclasses import dataclass, field

from orgs.enums import Role

HOUR = 3_600


@dataclass(frozen=True, slots=True)
class Part:
    """Somebody: `sessions_a_day` on a working day, engine sizes with their weights.

    `signs_in` parts get a password; the others only ever meet the portal through a client.
    """

    name: str
    mailbox: str
    role: Role = Role.MEMBER
    sessions_a_day: float = 1.0
    sizes: tuple[tuple[str, int], ...] = (("standard", 3), ("large", 1))
    forgets: float = 0.06
    early: bool = False
    signs_in: bool = False
    client: str = "cli"


@dataclass(frozen=True, slots=True)
class Company:
    """An organization of the demonstration; its first part is the owner who creates it.

    Days count from the beginning. `busy` is (first day, last day, factor): the weeks in which
    everybody works more. `limits` are (day, micro-dollars, reason).
    """

    name: str
    slug: str
    domain: str
    zone: str
    plan: str
    parts: tuple[Part, ...]
    images: tuple[str, ...]
    subscribes_on: int
    created_on: int = 0
    trial: bool = False
    committed_seconds: int | None = None
    idle_timeout_seconds: int = 1_800
    gpu: bool = False
    limits: tuple[tuple[int, int, str], ...] = ()
    busy: tuple[int, int, float] = (0, 0, 1.0)
    rebuilt: tuple[str, ...] = field(default=())
    flaky: tuple[str, ...] = field(default=())
    # Names with the mailboxes of those who are in it.
    teams: tuple[tuple[str, tuple[str, ...]], ...] = field(default=())


WITH_GPU = (("standard", 2), ("large", 2), ("gpu", 1))
LARGE = (("standard", 1), ("large", 2))

ACME = Company(
    name="Acme Engineering",
    slug="acme",
    domain="acme.example",
    zone="Europe/Berlin",
    plan="business",
    created_on=0,
    trial=True,
    subscribes_on=15,
    idle_timeout_seconds=2_400,
    gpu=True,
    limits=((15, 40_000_000, ""), (58, 90_000_000, "Release 4 needs more builds")),
    busy=(46, 70, 2.0),
    parts=(
        Part("Olivia Marsh", "owner", Role.OWNER, 0.3, early=True, signs_in=True),
        Part("Tomás Rivera", "tomas", Role.OWNER, 0.5),
        Part("Ingrid Solheim", "editor", Role.EDITOR, 0.2, signs_in=True),
        Part("Max Weber", "member", early=True, signs_in=True, sizes=LARGE),
        Part("Priya Nair", "priya", sessions_a_day=1.4, sizes=WITH_GPU, early=True),
        Part("陈伟", "chen.wei", sessions_a_day=1.2, sizes=LARGE, early=True),
        Part("Amara Okafor", "amara", sessions_a_day=1.1),
        Part("Jonas Lindqvist", "jonas", sessions_a_day=0.8, forgets=0.3),
        Part("Sofía Hernández", "sofia", sessions_a_day=1.0, sizes=LARGE),
        Part("Yuki Tanaka", "yuki", sessions_a_day=1.2, sizes=WITH_GPU),
        Part("Noah Fischer", "noah", sessions_a_day=0.7),
        Part("Leïla Haddad", "leila", sessions_a_day=1.0),
        Part("王芳", "wang.fang", sessions_a_day=1.1, sizes=LARGE),
        Part("Elif Şahin", "elif", sessions_a_day=0.9),
        Part("Hugo Lambert", "hugo", sessions_a_day=0.0),
        Part("Build pipeline", "ci", sessions_a_day=7.2, forgets=0.0, client="ci"),
    ),
    images=(
        "acme/checkout:dev",
        "acme/search:dev",
        "postgres:17",
        "redis:8",
        "node:24",
        "acme/models:cuda",
        "playwright:noble",
    ),
    rebuilt=("acme/web:main", "acme/api:main"),
    flaky=("acme/models:cuda",),
    teams=(
        ("Platform", ("tomas", "priya", "chen.wei", "ci")),
        ("Checkout", ("member", "amara", "jonas", "sofia", "wang.fang")),
        ("Search and recommendations", ("yuki", "noah", "leila", "elif", "priya")),
    ),
)

BEICHEN = Company(
    name="北辰机器人",
    slug="beichen",
    domain="beichen.example",
    zone="Asia/Shanghai",
    plan="team",
    created_on=8,
    subscribes_on=8,
    committed_seconds=210 * HOUR,
    limits=((8, 5_000_000, ""), (52, 15_000_000, "固件发布")),
    busy=(22, 36, 1.6),
    parts=(
        Part("李静", "owner", Role.OWNER, 0.4, signs_in=True),
        Part("赵磊", "editor", Role.EDITOR, 0.3, signs_in=True),
        Part("刘洋", "member", sessions_a_day=1.5, signs_in=True),
        Part("孙丽", "sun.li", sessions_a_day=1.3, sizes=LARGE),
        Part("Zhang Wei", "zhang.wei", sessions_a_day=1.2),
        Part("周杰", "zhou.jie", sessions_a_day=1.4, forgets=0.2),
        Part("吴敏", "wu.min", sessions_a_day=1.0),
        Part("Daniel Kim", "daniel", sessions_a_day=1.1, sizes=LARGE),
        Part("محمد الهاشمي", "mohammed", sessions_a_day=1.0),
        Part("郑浩", "zheng.hao", sessions_a_day=0.9),
    ),
    images=("beichen/motion:dev", "beichen/vision:dev", "ros:jazzy", "python:3.14", "mosquitto:2"),
    rebuilt=("beichen/firmware:nightly",),
    teams=(("固件组", ("member", "sun.li", "wu.min")), ("视觉组", ("zhou.jie", "zheng.hao"))),
)

COMPANIES = (ACME, BEICHEN)
