"""A small SIMAT: six pictures, three triplets, four queries, in the layout of the public tables."""

import numpy as np

from editing.editors.simat.query_set import QuerySet, SimatQuery

TRIPLETS = """region_id,subj,rel,obj,dataset_id
70,cat,sitting on,mat,1
61,dog,sitting on,mat,0
62,dog,sitting on,mat,2
63,cat,lying on,mat,3
71,cat,sitting on,mat,5
64,cat,lying on,mat,4
"""
CAPTIONS = ("A cat sits on a mat.", "A dog sits on a mat.", "A cat lies on a mat.")
_NAMES = (
    ",transfo_id,region_id,field,value,target,norm,query_ids,target_ids,dataset_id,norm2,is_test"
)
QUERIES = f"""{_NAMES}
0,0,70,subj,cat,dog,1,0,1,4,2,True
1,1,71,subj,cat,dog,1,0,1,4,2,False
2,2,61,subj,dog,cat,1,1,0,9,1,True
3,3,70,rel,sitting on,lying on,1,0,2,9,1,True
"""
CROPS = """region_id\timage_id\tsubj\tbbox
61\t7\tdog\t0,0,8,8
62\t7\tdog\t8,0,16,8
63\t8\tcat\t0,0,8,8
64\t8\tcat\t8,0,16,8
70\t9\tcat\t0,0,8,8
71\t9\tcat\t8,0,16,8
"""
REGIONS = ("61", "70", "62", "63", "64", "71")
"""By their `dataset_id` in the triplet table."""
SHOWS = (1, 0, 1, 2, 2, 0)


def write_tables(folder, **changes):
    """The tables in `folder`; `changes` are other texts by the names above."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "triplets.csv": changes.get("triplets", TRIPLETS),
        "captions.txt": changes.get("captions", "\n".join(CAPTIONS)),
        "transfos.csv": changes.get("queries", QUERIES),
        "retrieval_db.tsv": changes.get("crops", CROPS),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def small_set():
    """What the tables say."""
    asked = [
        (1, "subj", "cat", "dog", 0, 1, True),
        (5, "subj", "cat", "dog", 0, 1, False),
        (0, "subj", "dog", "cat", 1, 0, True),
        (1, "rel", "sitting on", "lying on", 0, 2, True),
    ]
    names = ("picture", "field", "source_word", "target_word", "source_caption", "target_caption")
    return QuerySet(
        pictures=list(REGIONS),
        captions=list(CAPTIONS),
        shows=np.array(SHOWS),
        queries=tuple(
            SimatQuery(**dict(zip(names, values[:6], strict=True)), is_test=values[6])
            for values in asked
        ),
    )
