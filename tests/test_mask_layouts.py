"""Masks as people have them: layouts, formats, orientations, names; what is not sure is asked."""

import os
import shutil

import nibabel
import numpy as np
import pytest

from annostat import simulate_masks
from annostat.datasets import read_masks
from annostat.datasets.mask_files import read_masks_and_models
from annostat.errors import AnnostatError
from tests.test_image_files import write

CASES = ("p1", "p2", "p3", "p4")


@pytest.fixture(scope="module")
def drawn():
    """Masks of four cases by four people, (person, case, y, x), of another height than width."""
    rounds, _ = simulate_masks(4, 4, noise_px=1.5, rng=1, shape=(32, 32), radius_px=(6, 10))
    return np.asarray(rounds.values)[:, :, :28]


def stored(root, drawn, names, form="{rater}/{case}{suffix}", suffix=".npz"):
    """Write the masks of people who have names, each case as a file."""
    for name, masks in zip(names, drawn, strict=False):
        for case, mask in zip(CASES, masks, strict=True):
            path = root / form.format(rater=name, case=case, suffix=suffix)
            path.parent.mkdir(parents=True, exist_ok=True)
            if suffix == ".npz":
                np.savez(path, mask[None])
            else:
                write(path, mask)
    return root


def values_of(rounds):
    return np.asarray(rounds.values)


# Formats


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".mha", ".mhd", ".nrrd", ".png", ".tif"])
def test_every_format_reads_as_npz_does(suffix, drawn, tmp_path):
    stored(tmp_path, drawn, "ab", suffix=suffix)
    found = read_masks([tmp_path / "a", tmp_path / "b"])
    np.testing.assert_array_equal(values_of(found), drawn[:2])
    assert found.names == ("a", "b") and found.items.tolist() == list(CASES)
    assert found.cluster.tolist() == list(CASES)
    if suffix in (".png", ".tif"):
        assert found.spacing is None
    else:
        np.testing.assert_allclose(found.spacing, np.tile([0.2, 0.3], (4, 1)), rtol=1e-6)
        assert found.spacing_unit == "mm" and "pixels of 0.2 × 0.3 mm" in found.notes[0]
    assert "4 images of 28 × 32 pixels, by the raters a, b" in found.notes[0]
    other = read_masks([tmp_path / "a", tmp_path / "b"], spacing=0.5, spacing_unit="mm")
    np.testing.assert_array_equal(other.spacing, np.full((4, 2), 0.5))


def test_formats_may_be_mixed(drawn, tmp_path):
    stored(tmp_path, drawn[:1], "a", suffix=".png")
    stored(tmp_path, drawn[1:], "b", suffix=".mha")
    found = read_masks([tmp_path / "a", tmp_path / "b"])
    np.testing.assert_array_equal(values_of(found), drawn[:2])


def test_a_stack_is_a_volume_or_frames(drawn, tmp_path):
    for name, masks in zip("ab", drawn, strict=False):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "ct.nii.gz", masks, (2.0, 0.2, 0.3))
        write(tmp_path / name / "mr.nii.gz", masks[::-1], (2.0, 0.2, 0.3))
    sources = [tmp_path / "a", tmp_path / "b"]
    volumes = read_masks(sources)
    assert values_of(volumes).shape == (2, 2, 4, 28, 32) and volumes.items.tolist() == ["ct", "mr"]
    np.testing.assert_allclose(volumes.spacing[0], [2, 0.2, 0.3], rtol=1e-6)
    assert "2 volumes of 4 × 28 × 32 pixels" in volumes.notes[0]
    frames = read_masks(sources, items="frames")
    np.testing.assert_array_equal(values_of(frames)[:, :4], drawn[:2])
    assert (
        frames.items[5] == "mr:1" and frames.cluster[5] == "mr" and frames.spacing.shape == (8, 2)
    )
    np.savez(tmp_path / "a" / "ct.npz", drawn[0])
    with pytest.raises(AnnostatError, match="'ct' stands twice"):
        read_masks(sources)


def test_images_of_different_sizes_are_filled_up(run, drawn, tmp_path):
    stored(tmp_path, drawn, "abc", suffix=".png")
    small = {}
    for name, masks in zip("abc", drawn, strict=False):
        small[name] = masks[0, :24, 2:27]
        write(tmp_path / name / "p1.png", small[name])
    sources = [tmp_path / name for name in "abc"]
    found = read_masks(sources)
    np.testing.assert_array_equal(values_of(found)[0, 0, :24, :25], small["a"])
    assert values_of(found)[0, 0, 24:].sum() == 0
    assert "images of 2 sizes are filled with background to 28 × 32" in found.notes
    code, out, err = run("masks", *sources)
    assert (code, err) == (0, "") and out.startswith("Read    4 images of 28 × 32")
    code, _, err = run("masks", *sources, "--region", "all")
    assert code == 2 and "one size" in err


# Layouts


def test_labels_of_nnunet(drawn, tmp_path):
    stored(tmp_path, drawn, ("anna", "ben"), "{rater}/labelsTs/{case}{suffix}", ".nii.gz")
    stored(tmp_path, drawn[2:], ("net",), "{rater}/{case}{suffix}", ".nii.gz")
    (tmp_path / "net" / "plans.json").write_text("{}")
    stored(tmp_path, drawn[::-1], ("anna",), "{rater}/imagesTs/{case}_0000{suffix}", ".nii.gz")
    for sources in (["anna", "ben"], ["anna/labelsTs", "ben/labelsTs"]):
        found, models = read_masks_and_models(
            [tmp_path / s for s in sources], {"net": tmp_path / "net"}
        )
        assert found.names == ("anna", "ben") and models.names == ("net",)
        np.testing.assert_array_equal(values_of(found), drawn[:2])
        np.testing.assert_array_equal(values_of(models), drawn[2:3])
    with pytest.raises(AnnostatError, match="not known whose"):
        read_masks([tmp_path / "anna"])


def test_a_folder_of_folders_asks_who_is_a_rater(run, drawn, tmp_path):
    names = ("anna", "ben", "netA", "netB")
    stored(tmp_path, drawn, names, suffix=".png")
    (tmp_path / "netC").mkdir()
    write(tmp_path / "netC" / "p1.png", drawn[0, 0])
    code, out, err = run("masks", tmp_path)
    assert (code, out) == (2, "") and err.count("\n") == 1
    assert "anna, ben, netA, netB, netC" in err and "--raters" in err
    args = ["--raters", "anna", "ben", "--model", "netA", "first=netB"]
    code, out, err = run("masks", tmp_path, *args)
    flat = " ".join(out.split())
    assert (code, err) == (0, "")
    assert "by the raters anna, ben, and by the models netA, first" in flat
    assert "left out, being neither named as raters nor as models: netC" in flat
    assert run("masks", *args[:3], tmp_path)[0] == 0  # the folder last
    found = read_masks([tmp_path], raters=["ben", "anna"])
    assert found.names == ("ben", "anna")
    np.testing.assert_array_equal(values_of(found), drawn[1::-1])
    for names, words in (
        (["anna", "bne"], "did you mean 'ben'"),
        (["anna", "anna"], "twice"),
        (["anna"], "two or more raters"),
    ):
        with pytest.raises(AnnostatError, match=words):
            read_masks([tmp_path], raters=names)
    with pytest.raises(AnnostatError, match="no file or folder 'netD'"):
        read_masks_and_models([tmp_path], {"net": "netD"}, raters=["anna", "ben"])
    with pytest.raises(AnnostatError, match="as a rater and as the model"):
        read_masks_and_models([tmp_path], {"net": "ben"}, raters=["anna", "ben"])


def test_a_folder_of_folders_that_leaves_no_doubt(drawn, tmp_path):
    names = ("rater1", "rater2", "rater3")
    stored(tmp_path / "told", drawn, names, suffix=".png")
    stored(tmp_path / "told", drawn, ("images",), suffix=".png")
    found = read_masks([tmp_path / "told"])
    assert found.names == names and "left out, being images: images" in found.notes
    stored(tmp_path / "two", drawn, ("anna", "ben"))
    assert read_masks([tmp_path / "two"]).names == ("anna", "ben")
    for case, name in zip(CASES, ("ida", "otto", "uwe", "zoe"), strict=True):
        for who in ("anna", "ben"):
            (tmp_path / "two" / who / f"{case}.npz").rename(tmp_path / "two" / who / f"{name}.npz")
    with pytest.raises(AnnostatError, match=r"2 folders of 4 files.*: anna, ben, or ida, otto"):
        read_masks([tmp_path / "two"])
    assert read_masks([tmp_path / "two"], raters=["anna", "ben"]).n_items == 4
    assert read_masks([tmp_path / "two"], raters=["uwe", "zoe"]).items[1] == "ben:0"
    stored(tmp_path / "named", drawn, ("anna", "ben", "cleo", "net"))
    found, models = read_masks_and_models([tmp_path / "named"], {"net": tmp_path / "named" / "net"})
    assert found.names == ("anna", "ben", "cleo") and models.names == ("net",)


@pytest.mark.parametrize("form", ["{case}/{rater}{suffix}", "{case}/{case}_{rater}{suffix}"])
def test_one_folder_for_each_case(form, drawn, tmp_path):
    stored(tmp_path, drawn, ("anna", "ben"), form, ".nii.gz")
    for case in CASES:
        write(tmp_path / case / "image.nii.gz", drawn[3, 0])
    found = read_masks([tmp_path])
    assert found.names == ("anna", "ben") and found.items.tolist() == list(CASES)
    np.testing.assert_array_equal(values_of(found), drawn[:2])
    stored(tmp_path, drawn[2:3], ("net",), form, ".nii.gz")
    with pytest.raises(AnnostatError, match="only you know"):
        read_masks([tmp_path])
    found, models = read_masks_and_models([tmp_path], {"net": "net"}, raters=["anna", "ben"])
    np.testing.assert_array_equal(values_of(found), drawn[:2])
    np.testing.assert_array_equal(values_of(models), drawn[2:3])


def test_one_folder_of_files_that_name_case_and_rater(drawn, tmp_path):
    stored(tmp_path, drawn, ("anna", "ben"), "{case}_{rater}{suffix}", ".png")
    with pytest.raises(AnnostatError, match="CASE_RATER"):
        read_masks([tmp_path])
    found = read_masks([tmp_path], raters=["anna", "ben"])
    np.testing.assert_array_equal(values_of(found), drawn[:2])


def test_one_file_for_each_rater(drawn, tmp_path):
    for name, masks in zip(("a", "b", "net"), drawn, strict=False):
        write(tmp_path / f"{name}.tif", masks)
        (tmp_path / name).mkdir()
        write(tmp_path / name / "ct.nii.gz", masks, (2.0, 0.2, 0.3))
    found, models = read_masks_and_models(
        [tmp_path / "a.tif", tmp_path / "b.tif"], {"net": tmp_path / "net.tif"}
    )
    np.testing.assert_array_equal(values_of(found), drawn[:2])
    np.testing.assert_array_equal(values_of(models), drawn[2:3])
    found = read_masks([tmp_path / "a" / "ct.nii.gz", tmp_path / "b" / "ct.nii.gz"])
    assert found.names == ("a", "b") and values_of(found).shape == (2, 1, 4, 28, 32)


# Names


def test_clips_are_matched_by_name_or_not_at_all(drawn, tmp_path):
    stored(tmp_path, drawn[:1], ("anna",))
    stored(tmp_path, drawn[1:2], ("ben",))
    stored(tmp_path, drawn[1:2], ("ends",), "{rater}/{case}_ben{suffix}")
    for case, mask in zip(CASES, drawn[1], strict=True):
        (tmp_path / "upper").mkdir(exist_ok=True)
        np.savez(tmp_path / "upper" / f" {case.upper()}.npz", mask[None])
    anna = tmp_path / "anna"
    with pytest.raises(AnnostatError, match=r"'p1' \(anna\) and ' P1' \(upper\), 4 such"):
        read_masks([anna, tmp_path / "upper"])
    with pytest.raises(AnnostatError, match=r"none of the clips.*leaves out '_ben'"):
        read_masks([anna, tmp_path / "ends"])
    for other in ("upper", "ends"):
        found = read_masks([anna, tmp_path / other], tidy_names=True)
        np.testing.assert_array_equal(values_of(found), drawn[:2])
    (tmp_path / "ben" / "p2.npz").unlink()
    found = read_masks([anna, tmp_path / "ben"])
    assert "ben lacks 1 of 4: p2" in found.notes
    assert found.drawn.tolist() == [[True] * 4, [True, False, True, True]]


def test_items_that_files_name_are_matched(drawn, tmp_path):
    order, names = np.array([2, 0, 3, 1]), np.array(CASES)
    np.savez(tmp_path / "a.npz", masks=drawn[0], items=names, cluster=np.array(list("xxyy")))
    np.savez(tmp_path / "b.npz", masks=drawn[1][order], items=names[order])
    np.savez(tmp_path / "net.npz", output=drawn[2][order[:3]], items=names[order[:3]])
    found, models = read_masks_and_models(
        [tmp_path / "a.npz", tmp_path / "b.npz"], {"net": tmp_path / "net.npz"}
    )
    np.testing.assert_array_equal(values_of(found), drawn[:2])
    assert found.cluster.tolist() == list("xxyy")
    assert models.drawn.tolist() == [[True, False, True, True]]
    np.testing.assert_array_equal(values_of(models)[0, [0, 2, 3]], drawn[2, [0, 2, 3]])
    np.savez(tmp_path / "bare.npz", drawn[1])
    with pytest.raises(AnnostatError, match="store `items` in both"):
        read_masks([tmp_path / "a.npz", tmp_path / "bare.npz"])
    np.savez(tmp_path / "short.npz", drawn[1][:3])
    with pytest.raises(AnnostatError, match="same items"):
        read_masks([tmp_path / "bare.npz", tmp_path / "short.npz"])
    np.savez(tmp_path / "all.npz", anna=drawn[0], ben=drawn[1], net=drawn[2], items=names)
    found, models = read_masks_and_models(
        [tmp_path / "all.npz"], {"net": "net", "far": tmp_path / "net.npz"}
    )
    assert found.names == ("anna", "ben") and models.names == ("net", "far")
    assert models.drawn.tolist() == [[True] * 4, [True, False, True, True]]
    assert read_masks([tmp_path / "all.npz"], raters=["net", "ben"]).names == ("net", "ben")


# Orientation


def reoriented(path, code):
    image = nibabel.load(path)
    own = nibabel.io_orientation(image.affine)
    way = nibabel.orientations.axcodes2ornt(code)
    data = image.as_reoriented(nibabel.orientations.ornt_transform(own, way))
    data.to_filename(path)


@pytest.mark.parametrize("items", ["frames", "volumes"])
def test_a_mask_saved_with_another_affine_is_the_same(items, drawn, tmp_path):
    for name, masks in zip("ab", drawn, strict=False):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "ct.nii.gz", masks, (2.0, 0.2, 0.3))
    sources = [tmp_path / "a", tmp_path / "b"]
    before = values_of(read_masks(sources, items=items))
    for code in ("RAS", "SPL", "AIR"):
        reoriented(tmp_path / "b" / "ct.nii.gz", code)
        np.testing.assert_array_equal(values_of(read_masks(sources, items=items)), before)
    with pytest.raises(AnnostatError, match="axes may stand in another order"):
        read_masks(sources, items=items, orientation="stored")


def test_a_mirrored_image_beside_one_that_says_nothing_is_asked_for(drawn, tmp_path):
    stored(tmp_path, drawn, ("a",), suffix=".png")
    (tmp_path / "b").mkdir()
    for case, mask in zip(CASES, drawn[1], strict=True):  # as scripts do, without a thought
        nibabel.Nifti1Image(mask.T.copy(), np.eye(4)).to_filename(tmp_path / "b" / f"{case}.nii")
    for sources in ([tmp_path / "a", tmp_path / "b"], [tmp_path / "b", tmp_path / "a"]):
        with pytest.raises(AnnostatError, match=r"file of b says .* that of a does not say"):
            read_masks(sources)
    found = read_masks([tmp_path / "a", tmp_path / "b"], orientation="stored")
    np.testing.assert_array_equal(values_of(found), drawn[:2])
    (tmp_path / "c").mkdir()
    for case, mask in zip(CASES, drawn[2], strict=True):
        nibabel.Nifti1Image(mask.T.copy(), np.eye(4)).to_filename(tmp_path / "c" / f"{case}.nii")
    np.savez(tmp_path / "net.npz", drawn[3])
    sources, models = [tmp_path / "b", tmp_path / "c"], {"net": tmp_path / "net.npz"}
    with pytest.raises(AnnostatError, match="'net' does not say how it lies"):
        read_masks_and_models(sources, models)
    _, found = read_masks_and_models(sources, models, orientation="stored")
    np.testing.assert_array_equal(values_of(found), drawn[3:])


def test_images_that_lie_elsewhere(drawn, tmp_path):
    stored(tmp_path, drawn, "ab", suffix=".nii.gz")
    sources, path = [tmp_path / "a", tmp_path / "b"], tmp_path / "b" / "p2.nii.gz"
    image = nibabel.load(path)
    values, affine = np.asarray(image.dataobj), image.affine.copy()
    affine[0, 3] += 5
    nibabel.Nifti1Image(values, affine).to_filename(path)
    with pytest.raises(AnnostatError, match="'p2' by a and b lie 5 mm apart"):
        read_masks(sources)
    nibabel.Nifti1Image(values, np.eye(4)).to_filename(path)
    with pytest.raises(AnnostatError, match=r"pixels of 0\.2 × 0\.3 mm by a and of 1 × 1 mm by b"):
        read_masks(sources)
    with pytest.raises(AnnostatError, match="pixels of"):
        read_masks(sources, orientation="stored")
    affine[0, 3] += 5
    nibabel.Nifti1Image(values, affine).to_filename(path)
    found = read_masks(sources, orientation="stored")
    np.testing.assert_array_equal(values_of(found), drawn[:2])


# Numbers


def test_label_maps_are_taken_whole_or_in_part(run, drawn, tmp_path):
    maps = drawn.astype(np.uint8)
    maps[:, :, :3, :3] = 2
    maps[1, :, :3, 5:9] = 7
    stored(tmp_path, maps, "abn", suffix=".nii.gz")
    sources = [tmp_path / "a", tmp_path / "b"]
    found, models = read_masks_and_models(sources, {"net": tmp_path / "n"})
    assert found.labels == (1, 2) == models.labels
    assert "label maps, with the labels 1, 2" in found.notes
    assert "left out, being drawn by one rater alone: labels 7" in found.notes
    np.testing.assert_array_equal(values_of(found)[0], maps[0])
    found = read_masks(sources, labels=[2])
    assert found.labels == (2,) and values_of(found).max() == 1
    assert "left out, being not named: labels 1, 7" in found.notes
    with pytest.raises(AnnostatError, match=r"label 3, 9 .* stands in no mask; found: 1, 2, 7"):
        read_masks(sources, labels=[1, 3, 9])
    with pytest.raises(AnnostatError, match="label map, not one outline"):
        read_masks(sources, kind="binary")
    code, out, err = run("masks", *sources, "--model", f"net={tmp_path / 'n'}", "--labels", "1,2")
    assert (code, err) == (0, "") and "(label 2)" in out


def test_numbers_that_may_be_something_else(drawn, tmp_path):
    for name, masks in zip("ab", drawn, strict=False):
        np.savez(tmp_path / f"{name}.npz", masks * np.uint8(255))
    sources = [tmp_path / "a.npz", tmp_path / "b.npz"]
    np.testing.assert_array_equal(values_of(read_masks(sources)), drawn[:2])
    rng = np.random.default_rng(0)
    grey = np.where(drawn[1], rng.integers(128, 256, drawn[1].shape), 3).astype(np.uint8)
    np.savez(tmp_path / "b.npz", grey)
    with pytest.raises(AnnostatError, match=r"state their kind \(kind='uint8'"):
        read_masks(sources)
    np.testing.assert_array_equal(values_of(read_masks(sources, kind="uint8")), drawn[:2])
    for name, masks in zip("ab", drawn, strict=False):
        np.savez(tmp_path / f"{name}.npz", 0.1 + 0.7 * masks)
    with pytest.raises(AnnostatError, match=r"float64 from 0\.1 to 0\.8; state its kind"):
        read_masks(sources)
    np.testing.assert_array_equal(values_of(read_masks(sources, kind="probability")), drawn[:2])
    with pytest.raises(AnnostatError, match="threshold is of soft masks"):
        read_masks(sources, threshold=0.3)


def test_a_model_that_is_a_rater(drawn, tmp_path):
    stored(tmp_path, drawn, ("a", "b"))
    stored(tmp_path, drawn[1:], ("copy",), suffix=".png")
    sources = [tmp_path / "a", tmp_path / "b"]
    with pytest.raises(AnnostatError, match="as a rater and as the model"):
        read_masks_and_models(sources, {"net": tmp_path / "b"})
    for case, mask in zip(CASES, drawn[1], strict=True):
        np.savez_compressed(tmp_path / "copy" / f"{case}.npz", mask[None])
        (tmp_path / "copy" / f"{case}.png").unlink()
    with pytest.raises(AnnostatError, match="very masks of rater 'b'"):
        read_masks_and_models(sources, {"net": tmp_path / "copy"})


def test_folders_without_masks_say_what_they_hold(drawn, tmp_path):
    stored(tmp_path, drawn, ("a",))
    (tmp_path / "b").mkdir()
    for k in range(3):
        (tmp_path / "b" / f"{k}.jpg").write_bytes(b"x")
    with pytest.raises(AnnostatError, match=r"holds no masks that are read.*files 3 \.jpg"):
        read_masks([tmp_path / "a", tmp_path / "b"])
    for case in CASES:
        (tmp_path / "b" / f"{case}.npz").symlink_to(tmp_path / "a" / f"{case}.npz")
    with pytest.raises(AnnostatError, match="only links that leave it"):
        read_masks([tmp_path / "a", tmp_path / "b"])


def test_files_that_cannot_be_read_twice_or_are_of_two_kinds(drawn, tmp_path):
    stored(tmp_path, drawn, ("a", "b"))
    os.mkfifo(tmp_path / "fifo.npz")
    for sources in ([tmp_path / "fifo.npz"], [tmp_path / "a" / "p1.npz", tmp_path / "fifo.npz"]):
        with pytest.raises(AnnostatError, match="is a pipe or a device"):
            read_masks(sources)
    with pytest.raises(AnnostatError, match="is a pipe or a device"):
        read_masks_and_models([tmp_path / "a", tmp_path / "b"], {"m": tmp_path / "fifo.npz"})
    for name, masks in zip("xy", drawn, strict=False):
        (tmp_path / name).mkdir()
        if name == "x":
            np.savez(tmp_path / name / "ct.npz", masks)
        else:
            write(tmp_path / name / "ct.nii.gz", masks, (2.0, 0.2, 0.3))
    sources = [tmp_path / "x", tmp_path / "y"]
    with pytest.raises(AnnostatError, match=r"some are volumes and some frames.*items"):
        read_masks(sources)
    for items, shape in (("frames", (2, 4, 28, 32)), ("volumes", (2, 1, 4, 28, 32))):
        assert values_of(read_masks(sources, items=items)).shape == shape


def test_what_lies_beside_masks_and_the_order_of_sources_change_nothing(drawn, tmp_path):
    stored(tmp_path, drawn, ("anna", "ben", "cleo"), suffix=".nii.gz")
    names = ("anna", "ben", "cleo")
    before = read_masks([tmp_path / n for n in names])
    for name in names:
        for other in ("dataset.json", "notes.txt", ".hidden.nii.gz", "p9.nii.gz.part", "p1.csv"):
            (tmp_path / name / other).write_text("{}")
        (tmp_path / name / "old").mkdir()
        write(tmp_path / name / "old" / "p1.nii.gz", drawn[0, 0])
    after = read_masks([tmp_path / n for n in names])
    assert after.digest() == before.digest() and after.notes == before.notes
    turned = read_masks([tmp_path / n for n in names[::-1]])
    assert turned.choose(names).digest() == before.digest()
    for source in (tmp_path / "anna" / "..", tmp_path):
        assert read_masks([source], raters=names).digest() == before.digest()


def test_sources_with_names_of_their_own(drawn, tmp_path):
    stored(tmp_path, drawn, ("first/labels", "second/labels"))
    found = read_masks({"anna": tmp_path / "first/labels", "ben": tmp_path / "second/labels"})
    assert found.names == ("anna", "ben")
    np.testing.assert_array_equal(values_of(found), drawn[:2])
    assert read_masks([tmp_path / "first/labels", tmp_path / "second/labels"]).names == (
        "first",
        "second",
    )
    with pytest.raises(AnnostatError, match="not known whose"):
        read_masks(str(tmp_path / "first" / "labels"))


def test_one_slice_of_a_volume_and_masks_of_16_bits(drawn, tmp_path):
    for name, masks in zip("ab", drawn, strict=False):
        (tmp_path / name).mkdir()
        affine = np.diag([-2.0, -0.2, 0.3, 1.0])  # a sagittal slice: x has length 1
        image = nibabel.Nifti1Image(masks[0][None].copy(), affine)
        image.to_filename(tmp_path / name / "s.nii.gz")
    found = read_masks([tmp_path / "a", tmp_path / "b"])
    np.testing.assert_array_equal(values_of(found)[:, 0], drawn[:2, 0].transpose(0, 2, 1))
    np.testing.assert_allclose(found.spacing, [[0.3, 0.2]], rtol=1e-6)
    for name, masks in zip("ab", drawn, strict=False):
        np.savez(tmp_path / f"{name}.npz", masks * np.uint16(65535))
    found = read_masks([tmp_path / "a.npz", tmp_path / "b.npz"])
    np.testing.assert_array_equal(values_of(found), drawn[:2])


def test_a_model_in_a_file_beside_folders_of_raters(run, drawn, tmp_path):
    stored(tmp_path, drawn, ("a", "b"))
    sources = [tmp_path / "a", tmp_path / "b"]
    items = [f"{case}:0" for case in CASES]
    np.savez(tmp_path / "net.npz", output=drawn[2][::-1], items=np.array(items[::-1]))
    np.savez(tmp_path / "bare.npz", output=drawn[2])
    np.savez(tmp_path / "other.npz", output=drawn[2][:, :20])
    np.savez(tmp_path / "few.npz", output=drawn[2][:2])
    for name in ("net", "bare"):
        _, models = read_masks_and_models(sources, {"net": tmp_path / f"{name}.npz"})
        np.testing.assert_array_equal(values_of(models), drawn[2:3])
    for name, words in (("other", "another size: 20 × 32 and 28 × 32"), ("few", "2 masks for 4")):
        with pytest.raises(AnnostatError, match=words):
            read_masks_and_models(sources, {"net": tmp_path / f"{name}.npz"})
    target = tmp_path / "agreed.npz"
    assert run("masks", *sources, "--consensus", target)[0] == 0
    code, _, err = run("masks", *sources, "--model", target)
    assert code == 2 and "is a consensus of a, b" in err


def test_what_looks_like_one_patient_or_one_rater_is_said(drawn, tmp_path):
    for name, masks in zip("ab", drawn, strict=False):
        for case, mask in zip(("p1_slice1", "p1_slice2", "p2_slice1", "p3"), masks, strict=True):
            (tmp_path / name).mkdir(exist_ok=True)
            np.savez(tmp_path / name / f"{case}.npz", mask[None])
    sources = [tmp_path / "a", tmp_path / "b"]
    assert any("say so by patients" in note for note in read_masks(sources).notes)
    people = {"p1_slice1": "1", "p1_slice2": "1", "p2_slice1": "2", "p3": "3"}
    found = read_masks(sources, patients=people)
    assert not any("say so by patients" in note for note in found.notes)
    assert found.cluster.tolist() == list("1123")
    shutil.copytree(tmp_path / "a", tmp_path / "c")
    assert "a and c have the very same masks" in read_masks([*sources, tmp_path / "c"]).notes
    (tmp_path / "d").symlink_to(tmp_path / "a")
    with pytest.raises(AnnostatError, match=r"two folders or files are named 'a'"):
        read_masks([tmp_path / "a", tmp_path / "d"])
    with pytest.raises(AnnostatError, match="given twice"):
        read_masks({"x": tmp_path / "a", "y": tmp_path / "a"})
