# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Connectivity, from criteria to partners
#
# Users of crantpy know this notebook as the connectivity deep dive of its documentation. Here are the same steps, cell by
# cell, with `crant_core` in the place of `crantpy`; what differs is said where it does. It was run against
# [the offline CAVE](../sandbox.md), so you can run it too, without an account: five of its neurons are real, their
# partners, classes and images are made up. All numbers below are checked in the tests against the tables that the
# offline CAVE was built from.
#
# This page is written by `make tutorial` from [connectivity.py](connectivity.py); there is
# [a notebook](connectivity.ipynb) as well.
#
# ## 0. Which data
#
# Three settings say where the data are. In a terminal, `crant sandbox` starts the offline CAVE and prints its address and
# token; put them into `CRANT_SANDBOX_URL` and `CRANT_SANDBOX_TOKEN`. Leave this cell out, and everything that follows runs
# on the real ant brain, if you have access to it.

# %%
import json
import os

from crant_core.sandbox import demo_dataset

dataset = demo_dataset(os.environ["CRANT_SANDBOX_URL"])
os.environ["CRANT_DATASETS"] = json.dumps([dataset.model_dump(mode="json")])
os.environ["CRANT_CAVE_TOKENS"] = json.dumps({dataset.server: os.environ["CRANT_SANDBOX_TOKEN"]})
os.environ["CRANT_DEFAULT_DATASET"] = dataset.name

# %%
# Import CRANTpy and other necessary libraries
import crant_core as cp
import pandas as pd
import numpy as np
import matplotlib.pyplot as plt
import seaborn as sns
import navis

# Set up logging to see progress
cp.set_logging_level("WARNING")
navis.set_loggers('WARNING')

print("CRANTpy loaded successfully!")
print(f"Default dataset: {cp.CRANT_DEFAULT_DATASET}")

# %% [markdown]
# ## 1. The client
#
# The default dataset is looked up when it is needed, so the client is that of the dataset above. It is caveclient's own,
# connected and with a token that CAVE accepted.

# %%
# Generate and save authentication token (uncomment if first time)
# cp.generate_cave_token(save=True)

# Test connection
try:
    client = cp.get_cave_client()
    print(f"Successfully connected to datastack: {client.datastack_name}")
    print(f"Server: {client.server_address}")
except Exception as e:
    print(f"Connection failed: {e}")
    print("Please run: cp.generate_cave_token(save=True)")

# %% [markdown]
# ## 2. Synapses
#
# ### What olfactory projection neurons send
#
# A `NeuronCriteria` stands for the neurons whose annotations fit, here projection neurons of one tract; its roots are those
# that hold now. `get_synapses` then asks for the synapses that three of them send:
#
# - `materialization='latest'` is the one time of the answer. Ids are taken to that time first, so a neuron that was edited
#   since has synapses too: those of the root that most of it was in then. One of these three was edited, and its id in the
#   table is another.
# - `min_size=10` drops small detections, and after it `threshold=3` drops pairs of neurons with fewer than three synapses
#   left. All functions apply them in this order.
# - `return_pixels=True` gives positions in voxels of 8 × 8 × 42 nm, those that Neuroglancer shows.

# %%
# Get a sample of olfactory projection neurons
opn_criteria = cp.NeuronCriteria(cell_class='olfactory_projection_neuron', side='right', tract='mALT')
opn_ids = opn_criteria.get_roots()
print(f"Found {len(opn_ids)} olfactory projection neurons")

# Select a few for detailed analysis
sample_ids = opn_ids[:3]
print(f"\nSample neurons for detailed analysis:")
for i, neuron_id in enumerate(sample_ids, 1):
    print(f" {i}. {neuron_id}")

# Query synapses downstream of the sample neurons
synapses = cp.get_synapses(pre_ids=sample_ids, threshold=3, materialization='latest', min_size=10, return_pixels=True).sort_values(by=['size'], ascending=False)
synapses

# %% [markdown]
# It is a pandas table, so pandas counts:

# %%
synapses.groupby('pre_pt_root_id').size().reset_index(name='num_synapses')

# %% [markdown]
# ### How large they are

# %%
f, ax = plt.subplots(1, 1, figsize=(6, 4), dpi=150)
sns.histplot(data=synapses, x='size', hue='pre_pt_root_id', multiple='stack', bins=50, ax=ax, stat='count', legend=True, palette='Set2')
ax.set_xlabel('Synapse Size (voxels)')
ax.set_ylabel('Count')
ax.set_title('Distribution of Synapse Sizes by Neuron')
ax.spines['top'].set_visible(False)
ax.spines['right'].set_visible(False)

# Customize legend
legend = ax.get_legend()
legend.set_title('Neuron ID') # Change legend title
legend.set_frame_on(False) # Turn off legend frame

plt.show()

# %% [markdown]
# ### What they look like
#
# `plot_em_image` fetches a section around a position; the three largest synapses are first in the table. The offline CAVE's
# images are drawn, not taken: membranes around neurites, and a dark spot at each synapse. Of vesicles there are none. The first
# axis of an image is x; `ax.imshow(img.T)` would show it as Neuroglancer does.

# %%
# Plot EM image around the detected synapses
image_size = 500
top_synapse_coords = synapses[['ctr_pt_position']].head(3).values.tolist()

fig, axes = plt.subplots(1, 3, figsize=(15, 5))
for ax, coords in zip(axes, top_synapse_coords):
    x_center, y_center, z_center = coords[0]
    img = cp.plot_em_image(x_center, y_center, z_center, size=image_size)
    ax.scatter(image_size//2, image_size//2, marker='x', color='red', s=100)
    ax.imshow(img, cmap='gray')
    ax.set_title(f"Synapse at ({x_center}, {y_center}, {z_center})")
    ax.axis('off')
plt.tight_layout()
plt.show()

# %% [markdown]
# ## 3. Matrices
#
# ### What olfactory projection neurons receive
#
# Where the single synapses do not matter, `get_adjacency` counts them. Rows send and columns receive. With `post_ids` alone,
# rows are all that synapse with these neurons; with `symmetric=False`, rows and columns differ.

# %%
# Get a sample of olfactory projection neurons
opn_criteria = cp.NeuronCriteria(cell_class='olfactory_projection_neuron', side='right', tract='mALT')
opn_ids = opn_criteria.get_roots()
sample_ids = opn_ids[:5]

# Get adjacency matrix for the sample neurons
adjacency = cp.get_adjacency(post_ids=sample_ids, threshold=3, symmetric=False)
print(f"Adjacency matrix shape: {adjacency.shape}")
print(f"Identified {adjacency.shape[0]} input neurons connected to our {adjacency.shape[1]} sample PNs.")

# %% [markdown]
# As a picture: the neuron with the most inputs first, and each input where it is strongest.

# %%
# Sort columns by the maximum connections
col_sums = adjacency.sum(axis=0)
sorted_indices = col_sums.sort_values(ascending=False).index
adjacency = adjacency[sorted_indices]

# sort rows by the location of their maximum connection
row_max_locs = adjacency.values.argmax(axis=1)
sorted_row_indices = np.argsort(row_max_locs)
adjacency = adjacency.iloc[sorted_row_indices]

# Plot heatmap of connections
plt.figure(figsize=(6, 10), dpi=150)
plt.imshow(adjacency.values, aspect='auto', cmap='viridis')
plt.colorbar(label='Number of Synapses')
plt.xlabel('PNs')
plt.ylabel('Inputs')
plt.xticks(ticks=np.arange(len(adjacency.columns)), labels=adjacency.columns, rotation=0, fontsize=3)
plt.yticks(ticks=np.arange(len(adjacency.index)), labels=adjacency.index, fontsize=3)
plt.show()

# %% [markdown]
# These five are sisters of one glomerulus, DA1, and synapse with each other: those are the rows with the ids of columns.
#
# ### Within the central complex
#
# A criterion may be a list, any of which will do, and fields are combined: these classes, in this region.

# %%
# Get neurons belonging to the central complex
cx_neurons = cp.NeuronCriteria(cell_class=['EBc', 'ER', 'FBt', 'PBt'], region='CX')
print(f"Filtered to {len(cx_neurons.get_roots())} neurons in selected classes.")

cx_annotations = cp.get_annotations(cx_neurons)
cx_annotations['cell_class'].value_counts().reset_index()

# %% [markdown]
# Criteria stand for ids anywhere. On both sides they restrict the question to connections among themselves, and the same
# criteria are looked up once.

# %%
adjacency = cp.get_adjacency(pre_ids=cx_neurons, post_ids=cx_neurons, threshold=3, symmetric=True)

# %% [markdown]
# Ids in the matrix are roots of its time, the newest version; ids of annotations are those that were asked for, roots of
# now. A neuron that was edited in between has two ids, and would be called `Unknown` below. If that matters, ask for
# everything at one time: `cp.NeuronCriteria(…, materialization='latest')`.

# %%
# Create neuron to class mapping using the existing cx_annotations
# Convert root_id to int to match adjacency matrix data type
cx_annotations_int = cx_annotations.copy()
cx_annotations_int['root_id'] = cx_annotations_int['root_id'].astype(int)
neuron_to_class = cx_annotations_int.set_index('root_id')['cell_class'].to_dict()

# Create sorted lists of neuron IDs grouped by class
class_groups = {}
for neuron_id in adjacency.index:
    cell_class = neuron_to_class.get(neuron_id, 'Unknown')
    if cell_class not in class_groups:
        class_groups[cell_class] = []
    class_groups[cell_class].append(neuron_id)

# Sort classes by number of neurons (largest first)
sorted_classes = sorted(class_groups.keys(), key=lambda x: len(class_groups[x]), reverse=True)
sorted_neuron_ids = []
for cls in sorted_classes:
    sorted_neuron_ids.extend(sorted(class_groups[cls]))

# Reorder the adjacency matrix
adjacency_sorted = adjacency.loc[sorted_neuron_ids, sorted_neuron_ids]

# Create the heatmap using seaborn
plt.figure(figsize=(8, 6), dpi=200)
ax = sns.heatmap(adjacency_sorted.values,
                 cmap='coolwarm',
                 cbar_kws={'label': 'Number of Synapses'},
                 square=True)

# Add class boundaries
class_boundaries = []
current_pos = 0
for cls in sorted_classes:
    current_pos += len(class_groups[cls])
    class_boundaries.append(current_pos)

# Draw lines to separate classes
for boundary in class_boundaries[:-1]: # Don't draw the last boundary
    ax.axhline(boundary, color='white', linewidth=2, alpha=0.8)
    ax.axvline(boundary, color='white', linewidth=2, alpha=0.8)

# Create class tick labels
class_positions = []
current_pos = 0
for cls in sorted_classes:
    class_size = len(class_groups[cls])
    class_positions.append(current_pos + class_size/2)
    current_pos += class_size

# Set tick labels to show classes instead of individual neuron IDs
ax.set_xticks(class_positions)
ax.set_xticklabels([f"{cls} (n={len(class_groups[cls])})" for cls in sorted_classes],
                   rotation=45, ha='right', fontsize=10)
ax.set_yticks(class_positions)
ax.set_yticklabels([f"{cls} (n={len(class_groups[cls])})" for cls in sorted_classes],
                   rotation=0, fontsize=10)

# Rows are pre-synaptic neurons, columns are post-synaptic neurons. Add x and y labels
ax.set_xlabel('Post-synaptic')
ax.set_ylabel('Pre-synaptic')
plt.title('Central Complex Connectivity Matrix')
plt.tight_layout()
plt.show()

# %% [markdown]
# Two of the classes in the brain. The scene is a pyvista plotter of its own: it needs no window, and changes nothing that
# other plots use. (The made-up neurons are small trees around synapses of the real ones; hence the spot.)

# %%
# Isolate neuron subtypes
ebc_neurons = cx_annotations[cx_annotations['cell_class'] == 'EBc']['root_id'].astype(int).tolist()
pbt_neurons = cx_annotations[cx_annotations['cell_class'] == 'PBt']['root_id'].astype(int).tolist()
print(f"Found {len(ebc_neurons)} EBc neurons and {len(pbt_neurons)} PBt neurons.")

# Combine neuron IDs
combined_ids = ebc_neurons + pbt_neurons

# Define colors
neuron_colors = ['red' for _ in ebc_neurons] + ['blue' for _ in pbt_neurons]

# Plot the brain mesh scene
plotter = cp.get_brain_mesh_scene(combined_ids, backend='static', neuron_mesh_colors=neuron_colors)
plotter.window_size = (1920, 1080)
plotter.zoom_camera(1.5)
plotter.show()

# %% [markdown]
# ## 4. Partners
#
# `get_connectivity` lists the partners of a neuron, the strongest first: those upstream, those downstream, or both.

# %%
sample_id = 576460752303423516
print(f"Querying downstream connections for neuron ID {sample_id} of class {cp.get_annotations(sample_id)['cell_class'].values[0]}")
downstream_connections = cp.get_connectivity(neuron_ids=sample_id, upstream=False, downstream=True, threshold=5)
downstream_connections

# %% [markdown]
# Annotations come back under the ids that were asked for, so the tables can be joined. A partner that nobody annotated is no
# error: it is missing from the table, and is in its `attrs["missing"]`. One that was annotated twice has two rows, with which
# pandas refuses the `map` below; `annotations.drop_duplicates('root_id')` keeps the first.

# %%
# Get annotations for postsynaptic neurons
annotations = cp.get_annotations(downstream_connections['post'].unique().tolist()).reset_index()
annotations['root_id'] = annotations['root_id'].astype(int)

# Add cell class to downstream connections, Fill in missing values with 'Unknown'
downstream_connections['post_cell_class'] = downstream_connections['post'].map(annotations.set_index('root_id')['cell_class'])
downstream_connections['post_cell_class'] = downstream_connections['post_cell_class'].fillna('Unknown')
downstream_connections

# %% [markdown]
# By class: how many partners, and how strong they are.

# %%
# Plot number of connections and average weight by cell class
summary = downstream_connections.groupby('post_cell_class').agg(
    num_connections=('post', 'count'),
    avg_weight=('weight', 'mean')
).reset_index().sort_values(by='num_connections', ascending=False)

# Plotting
f, ax = plt.subplots(1, 2, figsize=(8, 3), dpi=150)
ax[0].bar(summary['post_cell_class'], summary['num_connections'], color='skyblue')
ax[0].set_ylabel('Number of Connections')
ax[0].spines['top'].set_visible(False)
ax[0].spines['right'].set_visible(False)
ax[1].bar(summary['post_cell_class'], summary['avg_weight'], color='salmon')
ax[1].set_ylabel('Average Weight')
ax[1].spines['top'].set_visible(False)
ax[1].spines['right'].set_visible(False)
plt.tight_layout()
plt.show()

# %% [markdown]
# ## 5. Numbers of partners
#
# `get_synapse_counts` counts partners, in spite of its name: `pre` is how many neurons a neuron is presynaptic to, those
# downstream, and `post` how many it is postsynaptic to, those upstream. Here are projection neurons of the other side.

# %%
# Get a sample of olfactory projection neurons
opn_criteria = cp.NeuronCriteria(cell_class='olfactory_projection_neuron', side='left', tract='mALT')
opn_ids = opn_criteria.get_roots()

# Select a few for synapse count analysis
sample_ids = opn_ids[:3].astype(int).tolist()
synapse_counts = cp.get_synapse_counts(neuron_ids=sample_ids, threshold=5)
synapse_counts

# %% [markdown]
# In crantpy's notebook this last cell takes `pre` for upstream and `post` for downstream. It is the other way round, so two
# lines differ here.

# %%
fig, axes = plt.subplots(1, 3, figsize=(10, 4), sharey=True, dpi=120)
for ax, row in zip(axes, synapse_counts.iterrows()):
    upstream_count = row[1]['post']
    downstream_count = row[1]['pre']
    ax.bar(['Upstream', 'Downstream'], [upstream_count, downstream_count], color=['skyblue', 'salmon'])
    ax.set_title(f"PN #{row[0]}")
    ax.spines['top'].set_visible(False)
    ax.spines['right'].set_visible(False)
axes[0].set_ylabel('Unique Connections')
plt.tight_layout()
plt.show()
