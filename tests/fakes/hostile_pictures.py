"""Picture files that claim or cost more than they should, made of a few bytes."""

import io
import struct
import zlib

from PIL import Image

from fakes.pictures import encoded

SMALL = Image.new("RGB", (64, 64), (9, 99, 9))


def chunk(kind, body):
    """A chunk of a PNG file."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*, size=(64, 64), depth=8, colour=2, before=b"", after=b""):
    """A black PNG file with more chunks before and after its pixels."""
    width, height = size
    row = 1 + width * depth // 8 * {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(row * height)))
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + before + pixels + after + chunk(b"IEND", b"")


def text_chunk(key, text):
    """A text of a PNG file, compressed."""
    return chunk(b"zTXt", key + b"\0\0" + zlib.compress(text))


def many_scans(repeated, *, size=(64, 64)):
    """A progressive JPEG of 10 scans whose last one comes `repeated` times more."""
    data = encoded(Image.new("RGB", size, (90, 80, 70)), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * repeated + b"\xff\xd9"


def jpeg(between):
    """A JPEG file with `between` behind its first two bytes."""
    data = encoded(SMALL, "JPEG")
    return data[:2] + between + data[2:]


def segment(code, body):
    """A segment of a JPEG file."""
    return bytes((0xFF, code)) + struct.pack(">H", 2 + len(body)) + body


def overlapping_tags(count, total):
    """A directory of `count` tags, as TIFF and EXIF have it, each of which claims all bytes."""
    tags = b"".join(struct.pack("<HHLL", 1 + n, 7, total - 8, 8) for n in range(count))
    data = b"II*\0\x08\0\0\0" + struct.pack("<H", count) + tags + bytes(4)
    return data.ljust(total, b"\0")


def exif_segments(data):
    """EXIF data over as many segments of a JPEG file as they need."""
    parts = (data[place : place + 60_000] for place in range(0, len(data), 60_000))
    return b"".join(segment(0xE1, b"Exif\0\0" + part) for part in parts)


def gif(extension):
    """A GIF file with `extension` before its picture."""
    data = encoded(SMALL, "GIF")
    first = data.index(b"\x2c", 13 + (3 << ((data[10] & 7) + 1)))
    return data[:first] + extension + data[first:]


def gif_frames(count):
    """A GIF file that shows its picture `count` times."""
    data = encoded(SMALL, "GIF")
    first = data.index(b"\x2c", 13 + (3 << ((data[10] & 7) + 1)))
    return data[:-1] + data[first:-1] * (count - 1) + b";"


def blocks(text):
    """A text in the blocks of a GIF file."""
    parts = (text[place : place + 255] for place in range(0, len(text), 255))
    return b"".join(bytes((len(part),)) + part for part in parts) + b"\0"


def tiff(more=(), *, size=(64, 64), compression=1, body=None, inner=b""):
    """A grey TIFF file in one strip, with `more` tags, and `inner` bytes behind its pixels."""
    body = bytes(size[0] * size[1]) if body is None else body
    given = {
        256: (4, 1, size[0]),
        257: (4, 1, size[1]),
        258: (3, 1, 8),
        259: (3, 1, compression),
        262: (3, 1, 1),
        273: (4, 1, 8),
        277: (3, 1, 1),
        278: (4, 1, size[1]),
        279: (4, 1, len(body)),
    }
    given |= {tag: rest for tag, *rest in more}
    tags = b"".join(struct.pack("<HHLL", tag, *rest) for tag, rest in sorted(given.items()))
    place = 8 + len(body) + len(inner)
    head = b"II*\0" + struct.pack("<L", place)
    return head + body + inner + struct.pack("<H", len(given)) + tags + bytes(4)


def tiff_pages(count):
    """A TIFF file of `count` pages without anything on them."""
    data = b"II*\0\x08\0\0\0"
    for _ in range(count):
        data += struct.pack("<HL", 0, len(data) + 6)
    return data


def webp_canvas(width, height, *, frames=1):
    """A moving WebP file that claims a canvas, and whose frames hold nothing."""
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + size
    body += b"ANIM" + struct.pack("<I", 6) + bytes(6)
    body += (b"ANMF" + struct.pack("<I", 16) + bytes(16)) * frames
    return b"RIFF" + struct.pack("<I", len(body)) + body


def run_length_bmp(size, body):
    """A BMP file of 256 colours whose pixels are run-length coded."""
    start = 14 + 40 + 1024
    head = b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start)
    info = struct.pack("<IiiHHIIiiII", 40, *size, 1, 8, 1, len(body), 0, 0, 256, 0)
    return head + info + bytes(1024) + body


def turned(image, orientation, **options):
    """A JPEG file that viewers turn, as its EXIF data say."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", exif=exif, **options)
    return buffer.getvalue()
