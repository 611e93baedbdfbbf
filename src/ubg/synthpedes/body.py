"""Proportions and poses: where the joints are. Lengths are fractions of the body height."""

import random
from dataclasses import dataclass
from math import cos, pi, sin
from typing import NamedTuple

from ubg.synthpedes.identities import Identity, random_stream
from ubg.synthpedes.surface import Ring

Joint = tuple[float, float, float]
THIGH, SHANK, UPPER_ARM, FOREARM = 0.245, 0.235, 0.165, 0.145
HIP_HEIGHT = 0.52
GROUND_CLEARANCE = 0.035  # of the ankle


@dataclass(frozen=True)
class Build:
    """Widths of one person. The head is 1/7.5 of the height, as in figure drawing."""

    shoulder: float
    torso: tuple[Ring, ...]
    limb: float
    hip: float


@dataclass(frozen=True)
class Pose:
    """Angles in radians: swing forward, bend of the joint, spread to the side."""

    hips: tuple[float, float]
    knees: tuple[float, float]
    shoulders: tuple[float, float]
    elbows: tuple[float, float]
    spread: float


@dataclass(frozen=True)
class Skeleton:
    """Joints in the body frame, index 0 the person's left, 1 the right.

    `drop` is how far all of it must come down for the lower foot to stand on the ground.
    """

    legs: tuple[tuple[Joint, Joint, Joint], ...]
    arms: tuple[tuple[Joint, Joint, Joint], ...]
    drop: float


class Person(NamedTuple):
    """Who is drawn: attributes, proportions and the joints of a pose."""

    identity: Identity
    build: Build
    skeleton: Skeleton


def make_build(identity: Identity) -> Build:
    """Proportions that follow sex, build and the person's own look."""
    rng = random_stream(identity.look, "build")
    wide = {"slim": 0.9, "average": 1.0, "heavy": 1.17}[identity.build] * rng.uniform(0.97, 1.03)
    belly = {"slim": 0.94, "average": 1.0, "heavy": 1.22}[identity.build]
    woman = identity.sex == "woman"
    shoulder = (0.09 if woman else 0.104) * (0.4 + 0.6 * wide)
    waist = 0.07 if woman else 0.08
    chest_depth = 0.067 if woman else 0.061
    torso: tuple[Ring, ...] = (
        (0.852, 0.031, 0.032, -0.002),
        (0.838, 0.042, 0.038, -0.004),
        (0.825, shoulder * 0.66, 0.046, -0.004),
        (0.808, shoulder * 0.95, 0.053, -0.003),
        (0.775, shoulder * 1.0, 0.059, 0.001),
        (0.73, 0.09 * wide, chest_depth * wide, 0.005),
        (0.68, 0.083 * wide, 0.058 * belly, 0.003),
        (0.62, waist * wide * belly, 0.053 * belly * wide, 0.003),
        (0.57, 0.087 * wide * (1.04 if woman else 0.97), 0.058 * wide * belly, 0.0),
        (0.52, 0.092 * wide * (1.06 if woman else 0.97), 0.063 * wide, -0.006),
        (0.48, 0.088 * wide, 0.06 * wide, -0.006),
    )
    return Build(
        shoulder=shoulder,
        torso=torso,
        limb=0.35 + 0.65 * wide,
        hip=0.048 * wide,
    )


def draw_pose(rng: random.Random, carried: str, bag: str) -> Pose:
    """Standing or walking, with the hands where what they carry wants them."""
    if rng.random() < 0.62:
        swing, phase = rng.uniform(0.25, 0.5), rng.uniform(0, 2 * pi)
    else:
        swing, phase = rng.uniform(0.0, 0.12), rng.uniform(0, 2 * pi)
    hips = (swing * sin(phase), -swing * sin(phase))
    knees = tuple(0.06 + 1.5 * swing * max(0.0, cos(phase + side)) ** 2 for side in (0.4, pi + 0.4))
    shoulders = [-0.8 * hips[0], -0.8 * hips[1]]
    elbows = [0.2 + swing * rng.uniform(0.2, 1.0), 0.2 + swing * rng.uniform(0.2, 1.0)]
    if rng.random() < 0.15:  # a hand in the pocket
        side = rng.randrange(2)
        shoulders[side], elbows[side] = -0.35, 0.75
    if carried in ("phone", "cup", "bottle", "folder"):
        shoulders[1] = rng.uniform(0.15, 0.4)
        elbows[1] = rng.uniform(1.5, 1.9) if carried != "folder" else rng.uniform(1.0, 1.3)
    if carried == "umbrella":
        shoulders[1], elbows[1] = rng.uniform(0.05, 0.2), rng.uniform(0.3, 0.6)
    if bag in ("handbag", "suitcase"):
        shoulders[0] = rng.uniform(-0.12, 0.1) - (0.3 if bag == "suitcase" else 0.0)
        elbows[0] = rng.uniform(0.05, 0.2)
    return Pose(
        hips=hips,
        knees=(knees[0], knees[1]),
        shoulders=(shoulders[0], shoulders[1]),
        elbows=(elbows[0], elbows[1]),
        spread=rng.uniform(0.06, 0.2),
    )


def make_skeleton(build: Build, pose: Pose) -> Skeleton:
    """Forward kinematics; the lower foot stands on the ground."""
    legs, arms = [], []
    for side, sign in ((0, 1.0), (1, -1.0)):
        hip = (sign * build.hip, HIP_HEIGHT, 0.0)
        legs.append(_chain(hip, pose.hips[side], -pose.knees[side], 0.025 * sign, THIGH, SHANK))
        shoulder = (sign * build.shoulder * 0.98, 0.787, -0.002)
        outward = sign * pose.spread
        arms.append(
            _chain(shoulder, pose.shoulders[side], pose.elbows[side], outward, UPPER_ARM, FOREARM)
        )
    drop = min(leg[2][1] for leg in legs) - GROUND_CLEARANCE
    return Skeleton(legs=tuple(legs), arms=tuple(arms), drop=drop)


def _chain(
    start: Joint, swing: float, bend: float, outward: float, upper: float, lower: float
) -> tuple[Joint, Joint, Joint]:
    x, y, z = start
    middle = (x + upper * sin(outward), y - upper * cos(swing), z + upper * sin(swing))
    # A bent forearm turns inwards, in front of the trunk.
    inward = outward * 0.3 - (0.45 if bend > 1.0 else 0.0) * (1 if x > 0 else -1)
    end = (
        middle[0] + lower * sin(inward),
        middle[1] - lower * cos(swing + bend),
        middle[2] + lower * sin(swing + bend),
    )
    return start, middle, end
