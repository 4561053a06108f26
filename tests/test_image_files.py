"""Image files of every format: the same pixels, spacing and place, or one line of why not."""

import gzip
import itertools
import struct
import sys
import zlib
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
from PIL import Image

from annostat.datasets import audit_folder, read_camus, read_mask_folder
from annostat.errors import AnnostatError
from annostat.tables.image_files import LPS, directions, read_header, read_picture, turned
from tests import folders

FORMATS = ("a.nii.gz", "a.nii", "a.mhd", "a.mha", "a.nrrd", "a.png", "a.tif")


@pytest.fixture(scope="module")
def mask():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:20, :26]
    mask = (np.hypot(y - 9, x - 15) < 7).astype(np.uint8)
    mask[rng.random(mask.shape) < 0.1] = 2
    return mask


def write(path, values, spacing=(0.2, 0.3), *, compressed=True):
    """Write (y, x) or (z, y, x) as the libraries do that people use."""
    if path.name.endswith((".nii", ".nii.gz")):
        affine = np.diag([-spacing[-1], -spacing[-2], spacing[0] if values.ndim == 3 else 1, 1])
        nibabel.Nifti1Image(np.ascontiguousarray(values.T), affine).to_filename(path)
    elif path.suffix in (".png", ".tif"):
        pages = [Image.fromarray(v) for v in (values if values.ndim == 3 else [values])]
        pages[0].save(path, **({"save_all": True, "append_images": pages[1:]} if pages[1:] else {}))
    else:
        image = SimpleITK.GetImageFromArray(values)
        image.SetSpacing(spacing[::-1])
        SimpleITK.WriteImage(image, str(path), compressed)
    return path


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("compressed", [True, False])
def test_every_format_holds_the_same_pixels(name, compressed, mask, tmp_path):
    found = read_picture(write(tmp_path / name, mask, compressed=compressed))
    np.testing.assert_array_equal(found.values, mask)
    assert found.axis == "" and found.shape == mask.shape
    if found.spacing is not None:
        assert found.spacing == pytest.approx((0.2, 0.3), rel=1e-6)
        assert directions(found.affine) == directions(LPS)
    assert (found.spacing is None) == name.endswith(("png", "tif"))
    header = read_header(tmp_path / name)
    assert header.shape == mask.shape and header.values.size == 0


@pytest.mark.parametrize("name", [n for n in FORMATS if n != "a.png"])
def test_stacks(name, mask, tmp_path):
    stack = np.stack([mask, mask[::-1], np.roll(mask, 3, axis=1)])
    found = read_picture(write(tmp_path / name, stack, (2.0, 0.2, 0.3)))
    np.testing.assert_array_equal(found.values, stack)
    assert found.axis == ("t" if name.endswith("tif") else "z")
    assert found.spacing is None or found.spacing == pytest.approx((2, 0.2, 0.3), rel=1e-6)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.nii.gz", "a.nii.gz"),
        ("a.mhd", "a.zraw"),
        ("a.mha", "a.mha"),
        ("a.nrrd", "a.nrrd"),
        ("a.png", "a.png"),
        ("a.npz", "a.npz"),
    ],
)
def test_one_flipped_bit_is_noticed_or_changes_no_pixel(name, data, mask, tmp_path):
    if name == "a.npz":
        np.savez_compressed(tmp_path / name, mask[None])
    else:
        write(tmp_path / name, mask)
    whole = (tmp_path / data).read_bytes()
    refused = 0
    for k in range(len(whole)):
        broken = bytearray(whole)
        broken[k] ^= 1 << k % 8
        (tmp_path / data).write_bytes(broken)
        try:
            if name == "a.npz":
                found = read_mask_folder(tmp_path, kind="uint8").raw("a")[0]
            else:
                found = read_picture(tmp_path / name).values
        except AnnostatError:
            refused += 1
            continue
        assert np.array_equal(found, mask), k
    assert refused > len(whole) / 4  # the rest is of headers: times, comments, reserved bytes


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii", "a.mhd", "a.mha", "a.nrrd", "a.png"])
@pytest.mark.parametrize("compressed", [True, False])
def test_a_file_that_ends_too_soon(name, compressed, mask, tmp_path):
    path = write(tmp_path / name, mask, compressed=compressed)
    data = next((p for p in tmp_path.iterdir() if p != path), path)
    # Of a PNG, the last bytes end the file and no pixel.
    for cut in (20, 200) if name == "a.png" else (1, 20, 200):
        whole = data.read_bytes()
        data.write_bytes(whole[:-cut])
        with pytest.raises(AnnostatError, match=r"a\.\w+"):
            read_picture(path)
        data.write_bytes(whole)


def test_what_is_compressed_may_not_go_on_for_ever(mask, tmp_path, monkeypatch):
    monkeypatch.setattr("annostat.tables.image_files.MAX_TAIL", 1 << 16)
    path = write(tmp_path / "a.nii", mask)
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(path.read_bytes() + bytes(1000)))
    np.testing.assert_array_equal(read_picture(tmp_path / "b.nii.gz").values, mask)
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(path.read_bytes() + bytes(1 << 22)))
    with pytest.raises(AnnostatError, match="goes on for more than 65,536 bytes after its pixels"):
        read_picture(tmp_path / "b.nii.gz")
    write(tmp_path / "c.mhd", mask)
    (tmp_path / "c.zraw").write_bytes(zlib.compress(bytes(1 << 24)))
    with pytest.raises(AnnostatError, match="promises 520 bytes of pixels and holds more"):
        read_picture(tmp_path / "c.mhd")


def test_headers_that_promise_too_much_or_name_other_files(mask, tmp_path):
    write(tmp_path / "a.nrrd", mask, compressed=False)
    raw = (tmp_path / "a.nrrd").read_bytes()

    def refused(name, old, new, message, source=raw):
        (tmp_path / name).write_bytes(source.replace(old, new))
        with pytest.raises(AnnostatError, match=message):
            read_picture(tmp_path / name)

    refused("b.nrrd", b"sizes: 26 20", b"sizes: 99999 99999", "the limit is")
    refused("b.nrrd", b"encoding: raw", b"encoding: raw\ndata file: ../x", "not in another")
    refused("b.nrrd", b"dimension: 2", b"dimension: 99999999", "must be 2, 3 or 4")
    refused("b.nrrd", b"NRRD", b"NERD", "no NRRD")
    write(tmp_path / "a.mha", mask)
    local = (tmp_path / "a.mha").read_bytes()
    refused("b.mha", b"= LOCAL", b"= ../x", "must be LOCAL", local)
    refused("b.mha", b"NDims = 2", b"NDims = 99999", "NDims", local)
    png = bytearray(write(tmp_path / "a.png", mask).read_bytes())
    struct.pack_into(">II", png, 16, 1 << 17, 1 << 17)
    struct.pack_into(">I", png, 29, zlib.crc32(png[12:29]))
    (tmp_path / "b.png").write_bytes(png)
    with pytest.raises(AnnostatError, match=r"b\.png (promises|cannot be read)"):
        read_picture(tmp_path / "b.png")
    for name in ("e.png", "e.tif", "e.nii", "e.nii.gz", "e.mha", "e.nrrd", "e.mhd"):
        for content in (b"", b"nothing of the kind"):
            (tmp_path / name).write_bytes(content)
            with pytest.raises(AnnostatError, match=name):
                read_picture(tmp_path / name)


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
def test_every_kind_of_number_in_both_orders(dtype, mask, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for order, kind in itertools.product("<>", (nibabel.Nifti1Image, nibabel.Nifti2Image)):
        header = kind.header_class(endianness=order)
        image = kind(mask.T.astype(dtype), np.eye(4), header=header, dtype=np.dtype(dtype))
        image.to_filename("a.nii.gz")
        np.testing.assert_array_equal(read_picture(Path("a.nii.gz")).values, mask)
    for name, compressed in itertools.product(("a.mhd", "a.mha", "a.nrrd"), (True, False)):
        write(Path(name), mask.astype(dtype), compressed=compressed)
        np.testing.assert_array_equal(read_picture(Path(name)).values, mask)
    if dtype[0] == "u" and dtype != "u8":
        size = int(dtype[1])
        data = zlib.compress(mask.astype(f">{dtype}").tobytes())
        kind = {1: "UCHAR", 2: "USHORT", 4: "UINT"}[size]
        head = (
            "NDims = 2\nBinaryData = True\nBinaryDataByteOrderMSB = True\nCompressedData = True\n"
            f"DimSize = 26 20\nElementType = MET_{kind}\nElementDataFile = LOCAL\n"
        )
        Path("b.mha").write_bytes(head.encode() + data)
        np.testing.assert_array_equal(read_picture(Path("b.mha")).values, mask)


def test_pictures_in_colours(mask, tmp_path):
    colours = np.repeat((mask * np.uint8(100))[:, :, None], 3, axis=2)
    Image.fromarray(colours).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png").values, mask * 100)
    palette = Image.fromarray(mask)
    palette.putpalette([0, 0, 0, 200, 0, 0, 0, 200, 0])
    palette.save(tmp_path / "p.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "p.png").values, mask)
    Image.fromarray(mask == 1).save(tmp_path / "one.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "one.png").values > 0, mask == 1)
    colours[..., 1] = 7
    Image.fromarray(colours).save(tmp_path / "b.png")
    with pytest.raises(AnnostatError, match="in colours"):
        read_picture(tmp_path / "b.png")
    Image.fromarray(np.dstack([colours, mask])).save(tmp_path / "c.png")
    with pytest.raises(AnnostatError, match="transparent"):
        read_picture(tmp_path / "c.png")


def test_palettes_of_greys_and_tiffs_whose_zero_is_white(mask, tmp_path):
    turned_round = Image.fromarray(1 - (mask == 1).astype(np.uint8))  # 0 where the mask is
    turned_round.putpalette([255, 255, 255, 0, 0, 0])
    turned_round.save(tmp_path / "p.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "p.png").values, (mask == 1) * 255)
    tifffile = pytest.importorskip("tifffile")
    for values in (mask == 1, mask):
        for kind in ("miniswhite", "minisblack"):
            for pages in (values, np.stack([values, values[::-1]])):
                tifffile.imwrite(tmp_path / "t.tif", pages, photometric=kind)
                found = read_picture(tmp_path / "t.tif").values
                np.testing.assert_array_equal(found, pages)
    stack = np.stack([mask, mask[::-1]])
    for options in ({"truncate": True}, {"truncate": True, "imagej": True}):
        tifffile.imwrite(tmp_path / "cut.tif", stack, **options)
        with pytest.raises(AnnostatError, match="says that it holds 2 images and lists 1"):
            read_picture(tmp_path / "cut.tif")


def test_scaled_and_floating_labels(mask, tmp_path):
    image = nibabel.Nifti1Image((mask * 10).T, np.eye(4))
    image.header.set_slope_inter(0.1, 0)
    image.to_filename(tmp_path / "s.nii.gz")
    write(tmp_path / "f.nii", mask.astype(np.float32))
    for name in ("s.nii.gz", "f.nii"):
        found = read_picture(tmp_path / name).values
        assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, mask)


def everywhere(affine):
    """Return an affine in each of the 48 ways to exchange and reverse axes."""
    codes = [(a, b, c) for a in "LR" for b in "AP" for c in "IS"]
    orders = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
    return [tuple(code[i] for i in order) for code in codes for order in orders]


def test_a_mask_is_the_same_however_its_axes_are_stored(tmp_path):
    rng = np.random.default_rng(1)
    values = rng.integers(0, 3, (4, 5, 6)).astype(np.uint8)
    turn = np.array([[0.99, -0.1, 0.05], [0.1, 0.99, 0.0], [-0.05, 0.0, 0.99]])
    turn /= np.linalg.norm(turn, axis=0)
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([-0.5, -0.7, 2.0])
    affine[:3, 3] = (10, -20, 30)
    image = nibabel.Nifti1Image(values, affine)
    own = nibabel.io_orientation(affine)
    for k, code in enumerate(everywhere(affine)):
        way = nibabel.orientations.axcodes2ornt(code)
        moved = image.as_reoriented(nibabel.orientations.ornt_transform(own, way))
        path = tmp_path / f"{k}.nii"
        moved.to_filename(path)
        found = turned(read_picture(path), LPS)
        np.testing.assert_array_equal(found.values, values.T, err_msg=str(code))
        np.testing.assert_allclose(found.affine, affine, atol=1e-5)
        assert found.spacing == pytest.approx((2.0, 0.7, 0.5), rel=1e-5)


@pytest.mark.parametrize("axis", ["", "t"])
def test_planes_and_sequences_are_turned_as_volumes_are(axis, mask, tmp_path):
    stack = np.stack([mask, mask[::-1]]) if axis else mask
    stored = stack.T[:, :, None] if axis else stack.T
    for flips in ((), (0,), (1,), (0, 1)):
        affine = np.diag([-0.3, -0.2, 1.0, 1.0])
        for i in flips:
            affine[:, 3] += affine[:, i] * (stack.shape[-1 - i] - 1)
            affine[:, i] *= -1
        path = tmp_path / "a.nii.gz"
        nibabel.Nifti1Image(np.flip(stored, flips).copy(), affine).to_filename(path)
        found = turned(read_picture(path), LPS)
        np.testing.assert_array_equal(found.values, stack)
        assert found.spacing == pytest.approx((0.2, 0.3), rel=1e-6) and found.axis == axis


def test_a_camus_mask_comes_with_the_axes_of_its_image(tmp_path):
    path, truth = folders.write_camus(tmp_path, n=2)
    item = "patient0002_2CH"
    target = path / "database_nifti" / "patient0002" / f"{item}_ED_gt.nii.gz"
    labels = truth[item][0]
    flipped = np.diag([-1.0, 1.0, 1.0, 1.0])
    flipped[0, 3] = labels.shape[1] - 1
    nibabel.Nifti1Image(labels.T[::-1].copy(), flipped).to_filename(target)
    found = read_camus(path).image(item, "ED", labels=True)
    np.testing.assert_array_equal(found.values, labels)
    assert "bad_mask" not in audit_folder(path).reasons
    flipped[0, 3] = 0  # mirrored, and not where the image is
    nibabel.Nifti1Image(labels.T[::-1].copy(), flipped).to_filename(target)
    with pytest.raises(AnnostatError, match=r"lies elsewhere than patient0002_2CH_ED\.nii\.gz"):
        read_camus(path).image(item, "ED", labels=True)
    [wrong] = [f for f in audit_folder(path).findings if f.reason == "bad_mask"]
    assert wrong.item == item and "affines differ" in wrong.evidence


def test_a_flipped_byte_in_a_camus_folder_is_found(tmp_path):
    path, _ = folders.write_camus(tmp_path, n=1, release="mhd")
    home = path / "training" / "patient0001"
    for name in ("patient0001_2CH_ED_gt", "patient0001_4CH_sequence"):
        image = SimpleITK.ReadImage(str(home / f"{name}.mhd"))
        (home / f"{name}.raw").unlink()
        SimpleITK.WriteImage(image, str(home / f"{name}.mhd"), True)
    assert audit_folder(path).findings == ()
    for name in ("patient0001_2CH_ED_gt", "patient0001_4CH_sequence"):
        data = bytearray((home / f"{name}.zraw").read_bytes())
        data[len(data) // 2] ^= 4
        (home / f"{name}.zraw").write_bytes(data)
    found = {(f.item, f.reason) for f in audit_folder(path).findings}
    assert found == {("patient0001_2CH", "bad_mask"), ("patient0001_4CH", "undecodable")}


@pytest.mark.parametrize("read", [read_picture, read_header])
def test_a_file_of_another_kind_is_told_so_whatever_is_installed(tmp_path, monkeypatch, read):
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    (tmp_path / "README.md").write_text("# Masks")
    with pytest.raises(AnnostatError, match=r"README.md is no image that is read \(.*\.png"):
        read(tmp_path / "README.md")
