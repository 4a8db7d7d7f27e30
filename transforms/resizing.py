"""Resizing pictures of any shape at the cost of what comes in and what goes out."""

from PIL import Image

_USUAL_ASPECT = 50


def resize_cheaply(
    image: Image.Image, size: tuple[int, int], resample: Image.Resampling
) -> Image.Image:
    """`image.resize(size, resample)`, one side after the other where either shape is extreme.

    Pillow resizes across and then down. A picture of 16 x 1 000 000 pixels, brought to 224 x 224,
    would be one of 224 x 1 000 000 on the way. From aspects of more than 50 to 1 on, the side
    whose change makes the picture smallest comes first; the pixels may differ by a grey level.
    """
    width, height = size
    across = width * image.height
    down = image.width * height
    usual = all(max(each) <= _USUAL_ASPECT * min(each) for each in (image.size, size))
    if usual or across <= down:
        return image.resize(size, resample)
    return image.resize((image.width, height), resample).resize(size, resample)


def cut_ends(image: Image.Image) -> Image.Image:
    """The middle of a picture of more than 50 to 1, as long as 50 times its shorter side.

    For those who look at a picture's middle alone, at a size that its shorter side decides.
    """
    width, height = (min(side, _USUAL_ASPECT * min(image.size)) for side in image.size)
    if (width, height) == image.size:
        return image
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))
