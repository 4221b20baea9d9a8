# SPDX-License-Identifier: Apache-2.0
"""What the network learns from: spoken by synthesizers, recorded, or both; and the clips that it is judged by."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from shrinkfit.audio.copies import augmented_features
from shrinkfit.audio.dataset import (
    NOISE_FOLDER,
    SILENCE,
    UNKNOWN,
    class_labels,
    fit_length,
    load,
    speaker_of,
    split_of,
)
from shrinkfit.audio.embedding import EMBEDDING_FEATURES
from shrinkfit.audio.features import AudioError, FeatureConfig, as_float, features
from shrinkfit.audio.scenes import SceneMix, Scenes, Voices
from shrinkfit.audio.sound import read_folder
from shrinkfit.audio.spoken import (
    NOT_A_WORD,
    levels,
    merged,
    read_recordings,
    read_synthesized,
    render,
    render_for,
)
from shrinkfit.audio.synth import synthesize
from shrinkfit.audio.talk import synthesize_talk
from shrinkfit.audio.volunteers import missing_packages, read_volunteers

CONFIG = FeatureConfig()
LEARNED_FRAMES = 100  # that the verifier learns from, a second too
FRAMES = CONFIG.frames(CONFIG.sample_rate_hz)
COPIES = {"synthetic": 3, "recorded": 8, "volunteers": 2, "clips": 30}
RECORDED_ROOMS = 0.35  # what was recorded has been in a room already
RECORDED_WEIGHT = {"hotword": 1.0, "other": 0.5}  # against synthetic speech of the same kind, all together
VALIDATION_SCENES, TEST_SCENES = 6_000, 600
TALK = {"clips": 4_000, "quick": 400}  # sentences, for both streams


@dataclass(frozen=True)
class Ear:
    """How one of the two networks hears scenes.

    Args:
        config: features.
        frames: of a scene.
        copies: of what is spoken by synthesizers, each in rooms of its own.
        mix: of its scenes.
    """

    config: FeatureConfig
    frames: int
    copies: int
    mix: SceneMix


EAR = Ear(CONFIG, FRAMES, COPIES["synthetic"], SceneMix())
# The verifier's head has less to learn than a whole network; its frames are half as long.
VERIFIER_EAR = Ear(EMBEDDING_FEATURES, LEARNED_FRAMES, 2, SceneMix(frames_off=2 * SceneMix().frames_off))


@dataclass(frozen=True, eq=False)
class Learned:
    """What synthesizers say to a network that learns, and the noise around it.

    Args:
        ear: how it is heard.
        voices: rendered.
        noise: levels of each stretch.
    """

    ear: Ear
    voices: Voices
    noise: list

    def scenes(self, hotwords, more=()):
        """Of it, and of more sets of Voices."""
        ear = self.ear
        return Scenes([self.voices, *more], self.noise, hotwords, ear.frames, config=ear.config, mix=ear.mix)


@dataclass(frozen=True, eq=False)
class Speech:
    """All that training needs.

    Args:
        labels: the hotwords, then unknown and silence.
        scenes: what is trained on; None where it is clips.
        copies: (float16 [copies, n, frames, bands], labels): clips to train on, each in changed copies; or None.
        validation, test: (features, labels), voices that are not trained on.
        sounds: "validation" and "test" -> (hotwords, other sounds, noise), as `build_stream` takes them.
        clips: (int16 [n, samples], labels), the sound of held-out voices.
        words: how many different words are told apart on the way.
        recorded: whether recordings of the hotwords are among what is trained on.
        sources: what it is made of, in words.
        verified: scenes for the verifier, of the same voices; None where there is to be none.
    """

    labels: tuple[str, ...]
    scenes: Scenes | None
    validation: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]
    sounds: dict[str, tuple]
    clips: tuple[np.ndarray, np.ndarray]
    words: int
    recorded: bool
    sources: str
    copies: tuple[np.ndarray, np.ndarray] | None = None
    verified: Scenes | None = None


def from_folder(folder, hotwords, seed, quick):
    """Recordings in Speech Commands layout; clips of speakers apart judge them."""
    data = load(folder, hotwords)
    changed = augmented_features(
        data.train.samples, data.noise, 4 if quick else COPIES["clips"], seed=seed, config=CONFIG
    )
    judged = [(as_float(features(clips.samples, CONFIG)), clips.labels) for clips in (data.validation, data.test)]
    sources = f"{folder}: {len(data.train):,} clips to learn from, {len(data.test):,} to be judged by"
    sounds = {}
    for name, part in (("validation", data.validation), ("test", data.test)):
        others = list(part.samples[part.labels >= len(hotwords)])
        sounds[name] = hotwords_of(part, len(hotwords)), others, list(data.noise)
    clips = data.test.samples, data.test.labels
    seen = changed, data.train.labels
    return Speech(data.labels, None, *judged, sounds, clips, 0, True, sources, seen)


def from_synthesis(hotwords, cache, clips, seed, quick, noise_folder=None, *, real_talk=True, verifier=True):
    """Speech by synthesizers, judged by voices apart; and its scenes' parts, for `with_recordings`.

    Args:
        real_talk: let volunteers talk in the streams, too, where they are not trained on.
        verifier: make scenes for one, too.
    """
    folder = synthesize(hotwords, cache, clips=clips, seed=seed)
    said = read_synthesized(folder, hotwords)
    apart = np.array([is_apart(speaker) for speaker in said.speakers])
    words = sorted(set(said.words) - {NOT_A_WORD})
    noises = [read_folder(Path(folder) / NOISE_FOLDER).samples]
    noises += [read_folder(noise_folder).samples] if noise_folder else []

    def spoken(index, ears, title):
        part = said.take(np.flatnonzero(index))
        rendered = render_for(part, [(ear.config, ear.copies) for ear in ears], seed=seed, progress=title)
        number = np.array([words.index(word) if word else -1 for word in part.words])
        voices = [Voices(one, part.labels, number, np.ones(len(part))) for one in rendered]
        return [Learned(ear, said_to, noise_of(noises, ear)) for ear, said_to in zip(ears, voices, strict=True)]

    ears = (EAR, VERIFIER_EAR) if verifier else (EAR,)
    learned = spoken(~apart, [replace(ear, copies=1) if quick else ear for ear in ears], "Rendering what is said")
    (judge,) = spoken(apart, [replace(EAR, copies=1, mix=SceneMix(hotwords=0.3))], "Rendering voices apart")
    judge = judge.scenes(len(hotwords))
    judged = [judge.draw(n, np.random.default_rng([seed, n]))[:2] for n in (VALIDATION_SCENES, TEST_SCENES)]
    sources = f"{len(said):,} synthetic clips, {len(words):,} words; {len(learned[0].noise)} stretches of noise"
    hum = noises[-1]
    # Two halves of the voices apart: thresholds are chosen on one and judged on the other.
    half = np.array([half_of(speaker) for speaker in said.speakers])
    halves = {name: said.take(np.flatnonzero(apart & (half == name))) for name in ("validation", "test")}
    talk, of_it = talk_of(hotwords, cache, seed, quick, real_talk)
    sounds = {name: (hotwords_of(part, len(hotwords)), talk[name], list(hum)) for name, part in halves.items()}
    sources += f"; talk in the streams: {of_it}"
    heard = halves["test"]
    clips = np.stack([fit_length(samples) for samples in heard.samples]), heard.labels
    scenes = [one.scenes(len(hotwords)) for one in learned]
    speech = Speech(class_labels(hotwords), scenes[0], *judged, sounds, clips, len(words), False, sources)
    return replace(speech, verified=scenes[1] if verifier else None), learned


def noise_of(noises, ear):
    """Levels of the noise that there is; the user's own, which comes last, is half of it."""
    made, *own = (noise_levels(sounds, ear) for sounds in noises)
    return made + [level for levels_of in own for level in levels_of * max(1, len(made) // max(1, len(levels_of)))]


def is_apart(speaker):
    """Whether nothing that this synthetic voice says is trained on."""
    return split_of(speaker, 8, 0) == "validation"


def half_of(speaker):
    """Which of the two streams somebody apart speaks in."""
    return "validation" if split_of(f"{speaker} apart", 50, 0) == "validation" else "test"


def talk_of(hotwords, cache, seed, quick, real):
    """What is said beside the hotwords in each stream, hardly anything twice, and what that is in words.

    The words of the data set would not do: a few hundred of voices apart, many of them chosen for being near the
    hotword, said over and over for hours.
    """
    clips = TALK["quick" if quick else "clips"]
    folder = synthesize_talk(hotwords, cache, clips=clips, speakers=is_apart, seed=seed)
    read = read_folder(folder)
    said = list(zip(map(speaker_of, read.paths), read.samples, strict=True))
    of_it = f"{len(said):,} sentences"
    if real:
        people = read_volunteers(hotwords)
        said += zip(people.speakers, people.samples, strict=True)
        of_it += f", {len(people):,} recordings of volunteers"
    return {name: [clip for who, clip in said if half_of(who) == name] for name in ("validation", "test")}, of_it


def hotwords_of(clips, hotwords):
    """(number, samples) of each hotword among clips."""
    said = zip(clips.labels, clips.samples, strict=True)
    return [(int(label), samples) for label, samples in said if label < hotwords]


def with_recordings(speech, learned, positives, negatives, seed):
    """The same with recordings mixed in.

    Args:
        learned: what synthesizers say, as each network hears it.
    """
    hotwords = speech.labels[: -len((UNKNOWN, SILENCE))]
    sets, told = [], []
    for folder, kind in ((positives, "hotword"), (negatives, "other")):
        if not folder:
            continue
        said = recordings_of(folder, hotwords) if kind == "hotword" else read_recordings(folder, len(hotwords))
        sets.append((said, COPIES["recorded"], RECORDED_WEIGHT[kind]))
        told.append(f"{len(said):,} recordings of {'the hotword' if kind == 'hotword' else 'other sounds'}")
    if positives:
        said, missing = volunteers(hotwords)
        sets += [(said, COPIES["volunteers"], RECORDED_WEIGHT["other"])] if len(said) else []
        told += missing + ([f"{len(said):,} recordings of volunteers who say anything else"] if len(said) else [])
    scenes = [
        one.scenes(len(hotwords), [recorded(*part, one, len(hotwords), seed) for part in sets]) for one in learned
    ]
    verified = scenes[1] if len(scenes) > 1 else None
    sources = "; ".join([speech.sources, *told])
    return replace(speech, scenes=scenes[0], recorded=bool(positives), sources=sources, verified=verified)


def volunteers(hotwords):
    """Real voices that say anything but a hotword, where they are installed, and what is to be said where not.

    A network that hears real voices say its hotword, and synthetic ones all else, takes any real voice for the hotword.
    """
    missing = missing_packages()
    return read_volunteers(hotwords), [f"not installed: {', '.join(missing)}, with volunteers' recordings"] * bool(
        missing
    )


def recorded(said, copies, weight, spoken, hotwords, seed):
    """Recordings to draw scenes from, with a weight against what is spoken by synthesizers and of the same kind."""
    rendered = render(said, copies, seed=seed + 1, share=RECORDED_ROOMS, config=spoken.ear.config)
    same = np.sum((spoken.voices.labels < hotwords) == (said.labels[0] < hotwords))
    weights = np.full(len(said), weight * same / len(said))
    return Voices(rendered, said.labels, np.full(len(said), -1), weights)


def recordings_of(folder, hotwords):
    """Recordings of one hotword in a folder, or of several in folders with their names."""
    if len(hotwords) == 1:
        return read_recordings(folder, 0, hotwords[0])
    missing = [word for word in hotwords if not (Path(folder) / word).is_dir()]
    if missing:
        raise AudioError(f"'{folder}' has no folder for {', '.join(missing)}; expected one for each hotword")
    return merged([read_recordings(Path(folder) / word, i, word) for i, word in enumerate(hotwords)])


def noise_levels(sounds_of, ear):
    """Levels of each sound that is long enough for a scene; short ones are repeated."""
    shortest = ear.config.window_samples + (ear.frames + 1) * ear.config.hop_samples
    long_enough = [np.tile(sound, -(-shortest // len(sound))) for sound in sounds_of if len(sound)]
    return [levels(sound[None], ear.config)[0] for sound in long_enough]


def digest(*parts):
    """A short name for what a cached file was made from."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]
