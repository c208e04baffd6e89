"""Annotations, schemas, links and tokens of the sandbox as the real caveclient sees them, over HTTP."""

from __future__ import annotations

import webbrowser
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
import requests
from caveclient import CAVEclient
from caveclient.base import AuthException
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from crant_core.sandbox.answers import Refusal, base_url, refuse
from crant_core.sandbox.auth import TokenAuth
from crant_core.sandbox.names import ALIGNED_VOLUME, DATASTACK
from crant_core.sandbox.services import annotation, authservice, nglstate, schema
from crant_core.sandbox.state import State
from tests.fixtures import serving

TOKEN = "0123456789abcdef0123456789abcdef"
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


async def info(request: Request) -> JSONResponse:
    """As much of the info service as a client needs to find the others."""
    volume = {"id": 1, "name": ALIGNED_VOLUME}
    answer = {"aligned_volume": volume, "local_server": base_url(request), "viewer_site": base_url(request)}
    return JSONResponse(answer | {"segmentation_source": "graphene://nowhere/table/t"})


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[State, str]]:
    state = State(token=TOKEN, graph=None)
    services = (annotation, schema, nglstate, authservice)
    routes = [route for service in services for route in service.ROUTES]
    routes.append(Route(f"/info/api/v2/datastack/full/{DATASTACK}", info))
    app = Starlette(routes=routes, exception_handlers={Refusal: refuse})
    app.router.redirect_slashes = False
    app.state.sandbox = state
    with serving.served(TokenAuth(app, state)) as url:
        yield state, url


@pytest.fixture
def state(served) -> State:
    """The server's state, as new for every test."""
    vars(served[0]).update(vars(State(token=TOKEN, graph=None)))
    served[0].clock.set(LONG_AGO)
    return served[0]


@pytest.fixture
def url(served, state) -> str:
    return served[1]


def connect(url: str, token: str | None = TOKEN) -> CAVEclient:
    return CAVEclient(DATASTACK, server_address=url, auth_token=token, write_server_cache=False)


@pytest.fixture
def client(url) -> CAVEclient:
    return connect(url)


@pytest.fixture
def tags(client, state) -> str:
    """An empty table of tagged points, made an hour ago."""
    client.annotation.create_table("tags", "bound_tag", "Tags", voxel_resolution=[8, 8, 42])
    state.clock.advance(timedelta(hours=1))
    return "tags"


def tagged(text: str, *position: int) -> dict:
    return {"pt": {"position": position or [1, 2, 3]}, "tag": text}


class TestTables:
    def test_a_table_is_created_described_changed_and_deleted(self, client, state):
        made = client.annotation.create_table(
            "proofread", "proofreading_boolstatus_user", "Who was proofread", voxel_resolution=[8, 8, 42]
        )
        assert made.content.decode() == "proofread"
        described = client.annotation.get_table_metadata("proofread")
        assert described["schema_type"] == "proofreading_boolstatus_user"
        assert described["voxel_resolution"] == [8.0, 8.0, 42.0]
        assert (described["read_permission"], described["write_permission"]) == ("PUBLIC", "PRIVATE")
        client.annotation.update_metadata("proofread", description="changed", notice_text="cite us")
        described = client.annotation.get_table_metadata("proofread")
        assert (described["description"], described["notice_text"]) == ("changed", "cite us")
        assert client.annotation.get_tables() == ["proofread"]
        before = state.clock.now()
        state.clock.advance(timedelta(hours=1))
        client.annotation.delete_table("proofread")
        assert client.annotation.get_tables() == []
        with pytest.raises(requests.HTTPError, match="404"):
            client.annotation.get_table_metadata("proofread")
        session = client.annotation.session
        address = f"{client.server_address}/annotation/api/v2/aligned_volume/{ALIGNED_VOLUME}/table"
        assert session.get(address, params={"timestamp": before.isoformat()}).json() == ["proofread"]

    def test_a_description_is_answered_with_201(self, client, tags):
        address = f"{client.server_address}/annotation/api/v2/aligned_volume/{ALIGNED_VOLUME}/table/{tags}"
        assert client.annotation.session.get(address).status_code == 201

    def test_what_the_materialization_needs_is_in_the_table(self, client, state):
        resolution = [8, 8, 42]
        client.annotation.create_table("cells", "nucleus_detection", "Nuclei", voxel_resolution=resolution)
        client.annotation.create_table(
            "types", "cell_type_reference", "Types", voxel_resolution=resolution, reference_table="cells"
        )
        assert state.tables["cells"].points == ("pt",)
        assert LONG_AGO <= state.tables["cells"].created < LONG_AGO + timedelta(minutes=1)
        assert (state.tables["types"].points, state.tables["types"].reference_table) == ((), "cells")

    def test_a_second_table_of_a_name_is_409(self, client, tags):
        with pytest.raises(requests.HTTPError, match="409"):
            client.annotation.create_table(tags, "bound_tag", "Tags", voxel_resolution=[8, 8, 42])

    @pytest.mark.parametrize(
        ("name", "schema_name", "description"),
        [
            ("New-Table", "bound_tag", "x"),
            ("t", "no_such_type", "x"),
            ("t", "bound_tag", ""),
            ("t", "reference_tag", "x"),
        ],
    )
    def test_a_wrong_table_is_422(self, client, name, schema_name, description):
        with pytest.raises(requests.HTTPError, match="422"):
            client.annotation.create_table(name, schema_name, description, voxel_resolution=[8, 8, 42])

    def test_an_unknown_table_or_volume_is_404(self, client):
        with pytest.raises(requests.HTTPError, match="404"):
            client.annotation.get_annotation_count("unknown")
        with pytest.raises(requests.HTTPError, match="404"):
            client.annotation.get_tables("another volume")


class TestAnnotations:
    def test_posted_annotations_get_ids_from_1_and_come_back(self, client, tags):
        assert client.annotation.post_annotation(tags, [tagged("a", 10, 20, 30), tagged("b")]) == [1, 2]
        assert client.annotation.get_annotation_count(tags) == 2
        second, first = sorted(client.annotation.get_annotation(tags, [2, 1]), key=lambda found: -found["id"])
        assert (first["tag"], first["pt_position"], first["valid"]) == ("a", [10, 20, 30], True)
        assert (second["tag"], second["superceded_id"], second["deleted"]) == ("b", None, None)

    def test_rows_are_created_now_with_no_supervoxel_yet(self, client, tags, state):
        client.annotation.post_annotation(tags, tagged("a", 10, 20, 30))
        row = state.tables[tags].rows.iloc[0]
        assert LONG_AGO + timedelta(hours=1) <= row["created"] < LONG_AGO + timedelta(hours=1, minutes=1)
        assert pd.isna(row["deleted"])
        assert (row["pt_supervoxel_id"], row["pt_position_x"], row["pt_position_z"]) == (0, 10, 30)
        assert str(state.tables[tags].rows.dtypes["pt_supervoxel_id"]) == "uint64"

    def test_ids_may_be_given_and_the_next_ones_follow_the_largest(self, client, tags):
        assert client.annotation.post_annotation(tags, [tagged("a") | {"id": 2**60}]) == [2**60]
        assert client.annotation.post_annotation(tags, [tagged("b") | {"id": 7}, tagged("c")]) == [7, 2**60 + 1]
        assert [found["tag"] for found in client.annotation.get_annotation(tags, [7, 2**60])] == ["b", "a"]
        with pytest.raises(requests.HTTPError, match="duplicate key"):
            client.annotation.post_annotation(tags, [tagged("d") | {"id": 7}])

    def test_an_update_supersedes(self, client, tags, state):
        client.annotation.post_annotation(tags, [tagged("a"), tagged("b")])
        assert client.annotation.update_annotation(tags, tagged("new") | {"id": 1}) == {"1": 3}
        old, new = client.annotation.get_annotation(tags, [1, 3])
        assert (old["superceded_id"], old["valid"], old["deleted"] is None) == (3, False, False)
        assert (new["tag"], new["valid"], new["superceded_id"]) == ("new", True, None)
        assert client.annotation.get_annotation_count(tags) == 2
        rows = state.tables[tags].rows
        assert rows["deleted"][0] == rows["created"][2]

    def test_a_second_update_of_a_row_is_409(self, client, tags):
        client.annotation.post_annotation(tags, [tagged("a")])
        client.annotation.update_annotation(tags, tagged("b") | {"id": 1})
        with pytest.raises(requests.HTTPError, match="409"):
            client.annotation.update_annotation(tags, tagged("c") | {"id": 1})
        with pytest.raises(requests.HTTPError, match="409"):
            client.annotation.update_annotation(tags, [tagged("c") | {"id": 2}] * 2)
        assert client.annotation.get_annotation_count(tags) == 1

    def test_deleted_rows_stay_but_do_not_count(self, client, tags):
        client.annotation.post_annotation(tags, [tagged("a"), tagged("b")])
        assert client.annotation.delete_annotation(tags, [2]) == [2]
        assert client.annotation.get_annotation_count(tags) == 1
        assert client.annotation.get_annotation(tags, 2)[0]["valid"] is False
        with pytest.raises(requests.HTTPError, match="409"):
            client.annotation.delete_annotation(tags, [2])

    def test_unknown_ids_are_404(self, client, tags):
        for call in (client.annotation.get_annotation, client.annotation.delete_annotation):
            with pytest.raises(requests.HTTPError, match="404"):
                call(tags, [99])
        with pytest.raises(requests.HTTPError, match="404"):
            client.annotation.update_annotation(tags, tagged("a") | {"id": 99})

    @pytest.mark.parametrize(
        "wrong",
        [
            {"tag": "no point"},
            {"pt": {"position": [1, 2]}, "tag": "two coordinates"},
            {"pt": {"position": [1, 2, 2**31]}, "tag": "too far"},
            {"pt": {"position": [1, 2, 3]}},
            {"pt": {"position": [1, 2, 3]}, "tag": 5},
            {"pt": {"position": [1, 2, 3]}, "tag": "a", "tga": "misspelt"},
        ],
    )
    def test_one_wrong_annotation_is_422_and_none_is_kept(self, client, tags, wrong):
        with pytest.raises(requests.HTTPError, match="422"):
            client.annotation.post_annotation(tags, [tagged("right"), wrong])
        assert client.annotation.get_annotation_count(tags) == 0

    def test_10_000_rows_at_once_are_taken_and_one_more_is_413(self, client, tags):
        with pytest.raises(requests.HTTPError, match="413"):
            client.annotation.post_annotation(tags, [tagged("a")] * 10_001)
        assert client.annotation.post_annotation(tags, [tagged("a")] * 10_000) == list(range(1, 10_001))


class TestDataFramesAndStages:
    def test_a_dataframe_is_posted_as_crants_own_script_does(self, client):
        client.annotation.create_table(
            "backbone_proofread", "proofreading_boolstatus_user", "Backbones", voxel_resolution=[8, 8, 42]
        )
        root = 576460752303423489  # a float would make it …488
        rows = pd.DataFrame(
            {"proofread": [True], "pt_position": [[1, 2, 3]], "user_id": [92], "id": [root], "valid_id": [root]}
        )
        assert client.annotation.post_annotation_df("backbone_proofread", rows, ["pt_position"]) == [root]
        (found,) = client.annotation.get_annotation("backbone_proofread", [root])
        assert (found["valid_id"], found["user_id"], found["proofread"]) == (root, 92, True)

    def test_staged_annotations_are_scaled_and_uploaded_in_batches(self, client, tags):
        stage = client.annotation.stage_annotations(tags, annotation_resolution=[16, 16, 42])
        assert sorted(stage.fields) == ["pt_position", "tag", "valid"]
        assert sorted(stage.fields_required) == ["pt_position", "tag"]
        for number in range(5):
            stage.add(pt_position=np.array([number, 10, 10]), tag=str(number))
        assert client.annotation.upload_staged_annotations(stage, batch_size=2, progress=False) == [1, 2, 3, 4, 5]
        assert stage.annotation_dataframe(include_tracking=True)["new_id"].tolist() == [1, 2, 3, 4, 5]
        assert client.annotation.get_annotation(tags, [4])[0]["pt_position"] == [6, 20, 10]

    def test_staged_updates_map_old_ids_to_new_ones(self, client, tags):
        client.annotation.post_annotation(tags, [tagged("a"), tagged("b")])
        stage = client.annotation.stage_annotations(tags, update=True)
        stage.add(id=2, pt_position=[1, 2, 3], tag="c")
        assert client.annotation.upload_staged_annotations(stage, progress=False) == {"2": 3}

    def test_optional_points_may_be_missing(self, client):
        client.annotation.create_table("nuclei", "nucleus_detection", "Nuclei", voxel_resolution=[8, 8, 42])
        point = {"position": [1, 2, 3]}
        client.annotation.post_annotation("nuclei", [{"pt": point}, {"pt": point, "bb_start": point, "volume": 2.5}])
        bare, full = client.annotation.get_annotation("nuclei", [1, 2])
        assert (bare["bb_start_position"], bare["volume"]) == ([None] * 3, None)
        assert (full["bb_start_position"], full["volume"]) == ([1, 2, 3], 2.5)


class TestSchemas:
    def test_definitions_refer_to_bound_points(self, client):
        definition = client.schema.schema_definition("synapse")
        assert definition["$ref"] == "#/definitions/SynapseSchema"
        properties = definition["definitions"]["SynapseSchema"]["properties"]
        assert properties["pre_pt"]["$ref"] == "#/definitions/BoundSpatialPoint"
        assert properties["ctr_pt"]["$ref"] == "#/definitions/SpatialPoint"
        assert definition["definitions"]["SynapseSchema"]["required"] == ["ctr_pt", "post_pt", "pre_pt"]

    def test_all_and_several_definitions(self, client):
        everything = client.schema.schema_definition_all()
        assert set(everything) == set(client.schema.get_schemas())
        wanted = ["bound_tag", "simple_reference"]
        assert client.schema.schema_definition_multi(wanted) == {name: everything[name] for name in wanted}
        assert everything["simple_reference"]["$ref"] == "#/definitions/ReferenceAnnotation"

    def test_an_unknown_type_is_404(self, client):
        with pytest.raises(requests.HTTPError, match="404"):
            client.schema.schema_definition("no_such_type")

    def test_anyone_may_ask(self, url):
        assert "synapse" in requests.get(f"{url}/schema/api/v2/type", timeout=5).json()


class TestLinks:
    def test_a_scene_comes_back_as_it_was_sent(self, client):
        scene = {"layers": [{"name": "segmentation", "segments": ["576460752303423488"]}]}
        first, second = client.state.upload_state_json(scene), client.state.upload_state_json({})
        assert first == 5_000_000_000_000_001
        assert second == first + 1
        assert client.state.get_state_json(first) == scene
        assert client.state.get_state_json(f"{client.server_address}/nglstate/api/v1/{first}") == scene

    def test_a_scene_may_be_given_its_number(self, client):
        number = 5_000_000_000_000_002
        assert client.state.upload_state_json({"a": 1}, state_id=number) == number
        taken = {client.state.upload_state_json({}) for _ in range(3)}
        assert number not in taken
        assert client.state.get_state_json(number) == {"a": 1}

    def test_properties_have_addresses_of_their_own(self, client):
        number = client.state.upload_property_json({"inline": {"ids": ["1"]}})
        assert client.state.get_property_json(number) == {"inline": {"ids": ["1"]}}
        with pytest.raises(requests.HTTPError, match="500"):
            client.state.get_state_json(number)

    def test_an_unknown_number_is_500(self, client):
        with pytest.raises(requests.HTTPError, match="500"):
            client.state.get_state_json(123)

    def test_a_link_leads_to_the_scene(self, client):
        number = client.state.upload_state_json({})
        link = client.state.build_neuroglancer_url(number, ngl_url="http://viewer.invalid", target_site="spelunker")
        address = f"{client.server_address}/nglstate/api/v1/{number}"
        assert link == f"http://viewer.invalid/#!middleauth+{address}"


class TestTokens:
    def test_without_a_token_the_client_says_that_none_is_set_up(self, url):
        with pytest.raises(AuthException, match="You have not setup a token"):
            connect(url, token=None)

    def test_a_wrong_token_is_401(self, url):
        with pytest.raises(requests.HTTPError, match=r"401.*invalid_token"):
            connect(url, token="f" * 32)

    def test_a_token_changed_while_the_server_runs_no_longer_opens(self, client, state):
        assert client.annotation.get_tables() == []
        state.token = "f" * 32
        with pytest.raises(requests.HTTPError, match="401"):
            client.annotation.get_tables()

    def test_missing_terms_open_their_form_and_are_403(self, client, state, monkeypatch):
        opened: list[str] = []
        monkeypatch.setattr(webbrowser, "open", opened.append)
        state.denied["/annotation/"] = "missing_tos"
        with pytest.raises(requests.HTTPError, match=r"403.*missing_tos"):
            client.annotation.get_tables()
        assert opened == [f"{client.server_address}/sticky_auth/api/v1/tos/1/accept"]

    def test_the_auth_service_knows_the_caller_and_other_users(self, client):
        assert client.auth.get_tokens() == [{"id": 1, "token": TOKEN, "user_id": 1}]
        users = client.auth.get_user_information([2, 99, 1])
        assert [user["id"] for user in users] == [2, 1]
        assert {user["id"] for user in client.auth.get_group_users(1)} == {1, 2, 3}
        assert client.auth.get_group_users(99) == []
