"""Connectomics on CAVE, in batches.

Public names are loaded when first used: importing this package does no I/O and loads nothing heavy.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_NAMES = {
    "access": (
        "clear_all_caches",
        "clear_cave_client_cache",
        "clear_cloudvolume_cache",
        "configure_urllib3_warning_suppression",
        "generate_cave_token",
        "get_cave_client",
        "get_cave_datastacks",
        "get_cloudvolume",
        "get_current_cave_token",
        "get_dataset_segmentation_source",
        "get_datastack_segmentation_source",
        "set_cave_token",
        "set_logging_level",
        "suppress_urllib3_connectionpool_warnings",
        "validate_cave_client",
    ),
    "annotations": ("create_sql_query", "filter_df"),
    "caching": ("cached_per_id", "cached_result", "clear_global_cache", "get_global_cache"),
    "dataset_client": (
        "DatasetClient",
        "MeshClient",
        "MicronsProdClient",
        "MinniePublicClient",
        "V1ddClient",
        "V1ddPublicClient",
        "load_client",
        "to_navis",
    ),
    "datasets": ("CaveTableStore", "Dataset", "FileStore", "SeaTableStore"),
    "decorators": ("inject_dataset", "parse_neuroncriteria", "retry", "retry_func"),
    "errors": ("CrantError", "FilteringError", "NoMatchesError"),
    "exports": ("CloudFileViewExport", "TableExportClient"),
    "identity": (
        "find_common_time",
        "get_lineage_graph",
        "is_latest_roots",
        "is_valid_root",
        "is_valid_supervoxel",
        "roots_to_supervoxels",
        "supervoxels_to_roots",
        "update_ids",
    ),
    "l2": (
        "find_anchor_loc",
        "get_l2_chunk_info",
        "get_l2_dotprops",
        "get_l2_graph",
        "get_l2_info",
        "get_l2_meshes",
        "get_l2_skeleton",
    ),
    "matrices": ("All", "DirectedNestedMatrix", "NestedMatrix", "NeuropilCollection"),
    "mesh": ("Mesh",),
    "meshes": ("get_mesh_neuron",),
    "morphology": (
        "get_skeletons",
        "remove_soma_hairball",
        "shave_skeleton",
        "skeletonize_neuron",
        "skeletonize_neurons_parallel",
    ),
    "neuroglancer": (
        "add_annotation_layer",
        "add_skeleton_layer",
        "construct_scene",
        "decode_url",
        "encode_url",
        "neurons_to_url",
        "scene_to_url",
    ),
    "neuropils": ("get_supported_neuropil_mesh_labels", "load_neuropil_mesh"),
    "neurons": (
        "NeuronCriteria",
        "get_all_seatable_annotations",
        "get_annotations",
        "get_proofread_neurons",
        "is_proofread",
    ),
    "parsing": ("parse_root_ids", "parse_timestamp"),
    "registry": ("get_dataset", "register", "set_default_dataset"),
    "segmentation": (
        "chunks_to_nm",
        "get_segmentation_cutout",
        "get_voxels",
        "locs_to_segments",
        "locs_to_supervoxels",
        "neuron_to_segments",
        "snap_to_id",
    ),
    "skeleton": ("Skeleton", "skeletonize_mesh"),
    "somata": (
        "detect_soma",
        "detect_soma_mesh",
        "detect_soma_skeleton",
        "divide_local_neighbourhood",
        "get_soma_from_annotations",
        "measure_soma",
        "reroot_at_soma",
    ),
    "synapses": (
        "attach_synapses",
        "count_synapses_in_mesh",
        "get_adjacency",
        "get_connectivity",
        "get_synapse_counts",
        "get_synapses",
        "get_synapses_in_mesh",
    ),
    "values": ("make_iterable", "match_dtype"),
    "viewing": ("get_brain_mesh_scene", "load_whole_brain_mesh", "map_position_to_node", "plot_em_image"),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}

__all__ = sorted(_HOME)  # noqa: PLE0605 - one list of names, not two


def __getattr__(name: str) -> Any:
    if name == "CRANT_DEFAULT_DATASET":
        return import_module(f"{__name__}.registry").default_dataset()  # as it is now
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
