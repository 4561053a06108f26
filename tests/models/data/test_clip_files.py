"""One clip from every kind of file that `infer` reads."""

import sys

import numpy as np
import pytest

from annostat import AnnostatError
from models.data.clip_files import name_of, read_whole
from models.data.folders import clips_in, write_nifti
from models.world.phantom import make_clip
from tests.folders import write_clip


@pytest.fixture(scope="module")
def frames():
    """Twelve frames that are wider than high, no two rows or columns alike."""
    return np.array(make_clip(1, 0, size=32, frames=12).frames)[:, 4:30, :]


def write_dicom(path, values, *, samples=1, bits=8, kind="MONOCHROME2", **facts):
    """Write frames as an uncompressed DICOM file of several frames."""
    pydicom = pytest.importorskip("pydicom", reason="needs annostat[dicom]")
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, UltrasoundMultiFrameImageStorage, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UltrasoundMultiFrameImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.NumberOfFrames, data.Rows, data.Columns = values.shape[:3]
    data.SamplesPerPixel, data.PhotometricInterpretation = samples, kind
    data.BitsStored, data.BitsAllocated = bits, 8 if bits == 8 else 16
    data.HighBit, data.PixelRepresentation = bits - 1, 0
    if samples > 1:
        data.PlanarConfiguration = 0
    for name, value in facts.items():
        setattr(data, name, value)
    data.PixelData = values.tobytes()
    data.save_as(path, enforce_file_format=True)
    return pydicom


def test_every_kind_of_file_gives_the_same_frames(frames, tmp_path):
    import nibabel
    from PIL import Image

    np.save(tmp_path / "array.npy", frames)
    write_clip(tmp_path / "video.avi", frames, codec="ffv1")
    affine = np.diag([0.3, 0.3, 1, 1])
    for name in ("packed.nii.gz", "plain.nii"):
        nibabel.Nifti1Image(frames.T.copy(), affine).to_filename(tmp_path / name)
    write_dicom(tmp_path / "heart.dcm", frames)
    write_dicom(tmp_path / "IM_0001", frames)
    (tmp_path / "images").mkdir()
    for t, frame in enumerate(frames):
        Image.fromarray(frame).save(tmp_path / "images" / f"frame{t}.png")
    clips = clips_in(tmp_path)
    assert set(clips) == {"array", "video", "packed", "plain", "heart", "IM_0001", "images"}
    for name, read in clips.items():
        clip = read()
        assert np.array_equal(clip.frames, frames) and clip.frames.dtype == np.uint8, name
        square = clip.squared(32)
        assert square.shape == (12, 32, 32), name
        assert np.abs(square.astype(int) - clips["array"]().squared(32)).mean() < 2.5, name
        assert clip.unsquared(square).shape == frames.shape, name
    # One file or one folder of images is a clip by itself.
    assert list(clips_in(tmp_path / "packed.nii.gz")) == ["packed"]
    assert np.array_equal(clips_in(tmp_path / "images")["images"]().frames, frames)


def test_jpeg_and_colours_become_grey(frames, tmp_path):
    from PIL import Image

    (tmp_path / "a").mkdir()
    for t, frame in enumerate(frames[:3]):
        colour = np.repeat(frame[..., None], 3, axis=2)
        Image.fromarray(colour).save(tmp_path / "a" / f"{t}.jpg", quality=98)
    found = read_whole(tmp_path / "a").frames
    assert np.abs(found.astype(int) - frames[:3]).mean() < 3
    rgb = np.stack([frames, frames // 2, frames * 0], axis=-1)
    write_dicom(tmp_path / "c.dcm", rgb, samples=3, kind="RGB")
    luma = np.rint(0.299 * frames + 0.587 * (frames // 2))
    assert np.array_equal(read_whole(tmp_path / "c.dcm").frames, luma)


def test_dicom_of_other_bits_and_pixels(frames, tmp_path):
    """Twelve bits are scaled, MONOCHROME1 is turned around, pixels may be oblong."""
    deep = frames.astype(np.uint16) * 16 + 5
    write_dicom(tmp_path / "deep.dcm", deep, bits=12)
    assert np.array_equal(read_whole(tmp_path / "deep.dcm").frames, frames)
    write_dicom(tmp_path / "turned.dcm", 255 - frames, kind="MONOCHROME1")
    assert np.array_equal(read_whole(tmp_path / "turned.dcm").frames, frames)
    write_dicom(tmp_path / "one.dcm", frames[:1], PixelSpacing=[0.4, 0.2])
    clip = read_whole(tmp_path / "one.dcm")
    assert clip.frames.shape == (1, 26, 32) and clip.image.spacing_mm == (0.4, 0.2)


def test_masks_go_back_to_their_place_in_space(frames, tmp_path):
    """Oblong pixels, a mirrored axis, time on the fourth axis: the header comes back."""
    import nibabel

    affine = np.array([[-0.3, 0, 0, 10.0], [0, 0.15, 0, -7], [0, 0, 2, 3], [0, 0, 0, 1]])
    stored = frames.T[:, :, None].astype(np.int16)
    nibabel.Nifti1Image(stored, affine).to_filename(tmp_path / "a.nii.gz")
    clip = read_whole(tmp_path / "a.nii.gz")
    assert np.array_equal(clip.frames, frames)
    assert clip.image.spacing_mm == pytest.approx((0.15, 0.3))
    masks = np.where(frames > 60, 255, 0).astype(np.uint8)
    write_nifti(tmp_path / "m.nii.gz", masks, clip.nifti)
    back = nibabel.load(tmp_path / "m.nii.gz")
    assert np.allclose(back.affine, affine) and back.get_data_dtype() == np.uint8
    assert back.header.get_zooms() == nibabel.load(clip.nifti).header.get_zooms()
    assert np.array_equal(np.asarray(back.dataobj), np.where(stored > 60, 255, 0))


def test_frames_are_in_the_order_of_their_numbers(tmp_path):
    from PIL import Image

    (tmp_path / "c.v2").mkdir()
    for t in (10, 2, 1):
        Image.fromarray(np.full((4, 5), t, np.uint8)).save(tmp_path / "c.v2" / f"f{t}.png")
    assert read_whole(tmp_path / "c.v2").frames[:, 0, 0].tolist() == [1, 2, 10]
    assert name_of(tmp_path / "c.v2") == "c.v2"


def test_what_is_no_clip_is_told(frames, tmp_path, monkeypatch):
    import nibabel
    from PIL import Image

    def refused(name, message):
        with pytest.raises(AnnostatError, match=message):
            read_whole(tmp_path / name)

    nibabel.Nifti1Image(frames.T - 3.5, np.eye(4)).to_filename(tmp_path / "f.nii")
    refused("f.nii", r"f.nii holds float64 from -?\d.* grey levels")
    (tmp_path / "b.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"nothing")
    refused("b.dcm", "b.dcm cannot be read")
    (tmp_path / "d").mkdir()
    for t, shape in enumerate([(4, 5), (5, 4)]):
        Image.fromarray(np.zeros(shape, np.uint8)).save(tmp_path / "d" / f"{t}.png")
    refused("d", r"1.png has \(5, 4\) pixels, the images before it \(4, 5\)")
    (tmp_path / "d" / "1.png").write_bytes(b"no image")
    refused("d", "1.png cannot be read")
    Image.fromarray(np.zeros((4, 5), np.uint16)).save(tmp_path / "d" / "1.png")
    refused("d", "more than 8 bits")
    for module in ("pydicom", "pydicom.pixels"):
        monkeypatch.setitem(sys.modules, module, None)
    refused("b.dcm", r"annostat\[dicom\]")
