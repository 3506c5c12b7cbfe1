"""Writes a made-up website: pages that link to each other, styles, scripts, pictures, a sitemap, a feed; a share of links leads nowhere."""
import argparse
import os
from pathlib import Path

from common import rng

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--pages", type=int, default=50)
parser.add_argument("--links", type=int, default=8, help="median links of a page")
parser.add_argument("--broken", type=float, default=0.05, help="share of links and pictures that lead nowhere")
parser.add_argument("folder", type=Path)
options = parser.parse_args()
FOLDERS = ("", "news/", "docs/", "shop/")
WORDS = "alpha berry cedar delta ember field grove harbor island jolly kettle lemon meadow north olive pepper quartz river stone timber".split()


def words(count):
    return " ".join(rng.choice(WORDS) for _ in range(count))


def gone(path):
    """The same path, or with the share `broken` one like it that is not there."""
    return path.replace(".", f"-{rng.choice(WORDS)}.") if rng.random() < options.broken else path


def write(path, content):
    (options.folder / path).parent.mkdir(parents=True, exist_ok=True)
    (options.folder / path).write_bytes(content if isinstance(content, bytes) else content.encode())


assets = ["css/site.css", "js/app.js", "js/menu.js"]
pictures = [f"img/{number}.png" for number in range(24)]
pages = ["index.html"] + [f"{rng.choice(FOLDERS)}{rng.choice(WORDS)}-{number}.html" for number in range(options.pages)]
for path in assets:
    write(path, "".join(f"/* {words(12)} */\n" for _ in range(int(rng.lognormvariate(4.5, 0.9)))))
for path in pictures:
    write(path, os.urandom(int(rng.lognormvariate(9, 0.9))))
for number, path in enumerate(pages):
    some = min(len(pages), max(2, int(rng.lognormvariate(0, 0.5) * options.links)))
    links = rng.sample(pages, some) + [pages[(number + 1) % len(pages)]]
    head = "".join(f'<link rel="stylesheet" href="/{one}">' if one.endswith("css") else f'<script src="/{one}"></script>' for one in assets)
    body = "".join(f'<p>{words(rng.randint(10, 120))} <a href="/{gone(link)}">{words(2)}</a></p>' for link in links)
    body += "".join(f'<img src="/{gone(picture)}">' for picture in rng.sample(pictures, rng.randint(0, 6)))
    write(path, f"<html><head><title>{words(3)}</title>{head}</head><body>{body}</body></html>\n")
write("sitemap.xml", "<urlset>" + "".join(f"<url><loc>/{page}</loc></url>" for page in pages) + "</urlset>\n")
write("feed.xml", f"<rss><channel><title>{words(2)}</title>" + "".join(f"<item><link>/{page}</link><description>{words(30)}</description></item>" for page in pages[:15]) + "</channel></rss>\n")
write("robots.txt", "User-agent: *\nSitemap: /sitemap.xml\n")
write("404.html", f"<html><body>{words(300)}</body></html>\n")
