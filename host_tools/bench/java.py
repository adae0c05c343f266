"""Figures of the Java node of the thesis' author, measured on a similar machine: a chain of four nodes, the
same load. Keys are prosumers of a node, hops or agents."""

RSS_MB = {0: "90-106", 10: "121-143 (tuned 78-81)", 40: "243-252"}
ONE_NODE_S = {40: "4 / - / 5"}
CHAIN_S = {10: "11 / 15 / 20", 40: "31 / 54 / 63, 1 in 5 unserved"}
HOPS_S = {0: "3-11", 1: "7-25", 2: "34-36", 3: "49-50"}
BYTES_PER_S = {0: "15 kB/s", 10: "275 kB/s", 40: "370 kB/s"}
CPU_PERCENT = {0: "8-12", 10: "20", 40: "27-34"}
LAWS = {100: "243 ms at 100 agents"}
