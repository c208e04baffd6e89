from __future__ import annotations

import numpy as np

from crant_core.dataset_client.features import ATTRIBUTES, feature_table

FULL = {"rep_coord_nm": [1, 2, 3], "size_nm3": 7, "pca": [[1, 2, 3], [4, 5, 6], [7, 8, 9]], "pca_val": [3, 2, 1]}
TINY = {"rep_coord_nm": [4, 5, 6], "size_nm3": 8, "pca": [[1, 2, 3]], "pca_val": [3]}
IDS = (2**57 + 1, 2**57 + 2, 2**57 + 3)


# D17: caveclient fills rows of chunks without features with whatever was in memory
def test_d17_what_a_chunk_lacks_is_nan_and_ids_keep_all_digits_and_their_order():
    found = feature_table({IDS[2]: FULL, IDS[0]: {}, IDS[1]: TINY}, ["rep_coord_nm", "size_nm3"], True)
    assert found.index.tolist() == [IDS[2], IDS[0], IDS[1]]
    assert (found.index.name, found.index.dtype) == ("l2_id", np.int64)
    assert found.loc[IDS[0]].isna().all()
    assert found.loc[IDS[2]].tolist() == [1, 2, 3, 7]
    assert set(found.dtypes) == {np.dtype(np.float64)}


def test_chunks_of_a_few_voxels_have_fewer_components():
    found = feature_table({IDS[0]: FULL, IDS[1]: TINY}, ["pca", "pca_val"], True)
    assert found.loc[IDS[0], "pca_2_z"] == 9
    assert found.loc[IDS[1], ["pca_0_x", "pca_0_y", "pca_0_z"]].tolist() == [1, 2, 3]
    assert found.loc[IDS[1], ["pca_1_x", "pca_2_z", "pca_val_1"]].isna().all()


def test_unsplit_columns_hold_lists_and_none():
    found = feature_table({IDS[0]: FULL, IDS[1]: {}}, ["rep_coord_nm", "size_nm3"], False)
    assert found["rep_coord_nm"].tolist() == [[1, 2, 3], None]
    assert found["size_nm3"].isna().tolist() == [False, True]


def test_no_ids_give_all_columns():
    found = feature_table({}, [*ATTRIBUTES], True)
    assert found.shape == (0, 25)
    assert found.index.dtype == np.int64
