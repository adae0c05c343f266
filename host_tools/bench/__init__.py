"""`make bench`: the measurements behind the claims of the README. Prints tables and writes build/bench.json.

Keys of bench.json (stable; times in s, memory in MB of 2**20 bytes, powers in W):

    machine               python, processor count
    imports               RSS of the interpreter after each library of the node, cumulative
    space.N               put_per_s, read_per_s, inject_remove_per_s, bytes_per_lsa; the same with the
                          prefix dict_ for a plain dictionary of objects
    reaction.N            ten_changed_s: one reaction after 10 of N LSAs changed; pairwise_s: the bonding of
                          the Java reference, which compares all pairs (N up to 1000)
    one_node.K            K prosumers on one node: latency_s {median, p90, p95, max}, served, asked
    chain.K               K prosumers per node on a chain of four real nodes over MQTT: latency_s, by_hops
                          {h: median, max}, served, asked, and idle: rss_mb, cpu_percent, bytes_per_s, each
                          by node
    sim.N                 the simulator with N nodes of 10 random twins: sim_s, wall_s, sim_s_per_s (simulated
                          seconds per second on one core), events_per_s (of the virtual world), and in two
                          processes together_wall_s, together_sim_s_per_s
    propagation.H         by hops from the first node of a simulated chain: told_s until a value is there,
                          merged_s until it is in the mean that each node forms with its neighbours
    learning.M            by model M: steps_mb (RSS after each step, cumulative), added_mb (at the peak, above
                          a node without learning), predict_s {median, p95} (CPU for a minute of both
                          scopes), first_cpu_s, update_cpu_s, slice_cpu_s (one scope), slices
    joining               a newcomer beside eight neighbours: hours, each with what it received (messages,
                          bytes, whole_bytes, differences); complete_min: when the networks of a neighbour
                          were whole
    page                  the dashboard in Chromium: total_bytes, own_bytes, vendored_bytes (as gzip),
                          first_page_bytes (sent until the page Now is drawn), ready_s, day_ms (a chart of
                          1 440 x 6 until the next frame)
    hops                  producers on the first node only: latency_s by hops

The tables also show figures of the Java node of the thesis' author. They are constants, measured earlier on a
similar machine (4-node chain, same load).
"""
