"""Names for what is asked of servers, few enough to count by."""

from __future__ import annotations

from urllib.parse import urlsplit

#: what CAVE's paths consist of beside names and numbers
_WORDS = frozenset(
    """
    annotation annotations api async attributes attributes_many auth bulk cached chunk_children count datastack
    datastacks download edges exists frozen generation graph heads info is_latest_roots is_terms_accepted is_user
    l2cache l2_ids latest leaves leaves_many lineage_graph lineage_graph_multiple manifest materialize me meshing
    meshes metadata minimal_covering_nodes nglstate node nodes oldest_timestamp operation operations overview
    past_id_mapping precomputed proofreading query refusal_list root root_timestamps roots roots_binary schema
    segmentation skeleton
    skeletoncache skeletons split_preview subgraph table tables tabular_change_log tabular_change_log_many
    unique_string_values user users v1 v2 v3 v4 valid_nodes version versions versions_metadata view views
    """.split()  # noqa: SIM905 - a list of a hundred lines reads worse
)
_API = "api"
_OBJECT = "(object)"


def endpoint_of(url: str) -> str:
    """Return a path with `*` for names and numbers; objects of buckets are all one."""
    parts = [part for part in urlsplit(url).path.split("/") if part]
    if _API not in parts and not _WORDS.issuperset(parts[:1]):
        return _OBJECT
    return "/" + "/".join(part if part in _WORDS else "*" for part in parts)
