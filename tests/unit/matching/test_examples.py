"""Examples worked out one by one: clouds, queries about them, and what there is to choose from.

They were observed on the published service, but for those that say otherwise. Queries are of
microversion 1.39 unless they end in another one, and candidates are written as in `written`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pytest

from placement_core.matching import search
from tests.unit.matching import found, written
from tests.unit.matching.clouds import forest_of, parse, request_of
from tests.unit.matching.reference import Reference


class Example(NamedTuple):
    """:ivar cases: a query, the candidates, and where it matters, who is told about with them."""

    title: str
    cloud: str
    cases: Sequence[tuple[str, str] | tuple[str, str, str]]


EXAMPLES = [
    Example(
        "capacity of flat providers",
        """
        a  VCPU=8 ratio 2.0   MEMORY_MB=4096 reserved 512
        b  VCPU=8 max_unit 3  MEMORY_MB=4096 min_unit 512 step_size 256
        c  VCPU=4 used 3      MEMORY_MB=1000 used 100
        d  VCPU=16
        f  VCPU=7 ratio 0.5   MEMORY_MB=4096 reserved 4096
        """,
        [
            (
                "resources=VCPU:1,MEMORY_MB:512",
                "a{VCPU:1,MEMORY_MB:512} | ''->a ; b{VCPU:1,MEMORY_MB:512} | ''->b ;"
                "c{VCPU:1,MEMORY_MB:512} | ''->c",
                "a b c",
            ),
            ("resources=VCPU:2,MEMORY_MB:512", "a ; b", "a b"),
            ("resources=VCPU:1,MEMORY_MB:600", "a ; c", "a c"),
            ("resources=VCPU:4,MEMORY_MB:256", "a", "a"),
            ("resources=VCPU:16", "a ; d", "a d"),
            ("resources=VCPU:3", "a ; b ; d ; f", "a b d f"),
        ],
    ),
    Example(
        "shared storage",
        """
        cn1 VCPU=8 MEMORY_MB=1024              agg A
        cn2 VCPU=8 MEMORY_MB=1024 DISK_GB=500  agg A
        cn3 VCPU=8 MEMORY_MB=1024              agg B
        ss1 DISK_GB=1000 SHARE                 agg A
        ss2 DISK_GB=1000 SHARE
        x   DISK_GB=1000                       agg A
        """,
        [
            *(
                (
                    f"resources=VCPU:1,MEMORY_MB:512,DISK_GB:100 @{version}",
                    "cn1{VCPU:1,MEMORY_MB:512} + ss1{DISK_GB:100} | ''->cn1,ss1 ;"
                    "cn2{VCPU:1,MEMORY_MB:512,DISK_GB:100} | ''->cn2 ;"
                    "cn2{VCPU:1,MEMORY_MB:512} + ss1{DISK_GB:100} | ''->cn2,ss1",
                    "cn1 cn2 ss1",
                )
                for version in ("1.39", "1.10")
            ),
            ("resources=DISK_GB:100", "cn2 ; ss1 ; ss2 ; x", "cn2 ss1 ss2 x"),
            (
                "resources1=VCPU:1&resources2=DISK_GB:100&group_policy=none",
                "cn1{VCPU:1} + ss1{DISK_GB:100} | 1->cn1 2->ss1 ;"
                "cn2{VCPU:1,DISK_GB:100} | 1->cn2 2->cn2 ;"
                "cn2{VCPU:1} + ss1{DISK_GB:100} | 1->cn2 2->ss1",
                "cn1 cn2 ss1",
            ),
            (
                "resources1=VCPU:1&resources2=DISK_GB:100&group_policy=isolate",
                "cn1{VCPU:1} + ss1{DISK_GB:100} | 1->cn1 2->ss1 ;"
                "cn2{VCPU:1} + ss1{DISK_GB:100} | 1->cn2 2->ss1",
                "cn1 cn2 ss1",
            ),
            ("resources1=VCPU:1,DISK_GB:100", "cn2{VCPU:1,DISK_GB:100} | 1->cn2", "cn2"),
            ("resources=VCPU:1,DISK_GB:100&required=!SHARE", "cn2{VCPU:1,DISK_GB:100}", "cn2"),
            (
                "resources=VCPU:1,DISK_GB:100&required=SHARE",
                "cn1{VCPU:1} + ss1{DISK_GB:100} ; cn2{VCPU:1} + ss1{DISK_GB:100}",
                "cn1 cn2 ss1",
            ),
            ("resources=VCPU:1&required=SHARE", "", ""),
        ],
    ),
    Example(
        "a nested tree, and traits that are had together",
        """
        cn     VCPU=16 MEMORY_MB=4096  CUSTOM_HOST
          n0
            pf0  SRIOV_NET_VF=8
          n1     CUSTOM_NUMA
            pf1  SRIOV_NET_VF=8        HW_NIC_OFFLOAD_GENEVE
        """,
        [
            (
                "resources=VCPU:2,MEMORY_MB:256,SRIOV_NET_VF:1",
                "cn{VCPU:2,MEMORY_MB:256} + pf0{SRIOV_NET_VF:1} | ''->cn,pf0 ;"
                "cn{VCPU:2,MEMORY_MB:256} + pf1{SRIOV_NET_VF:1} | ''->cn,pf1",
                "cn n0 n1 pf0 pf1",
            ),
            *(
                (
                    f"resources=VCPU:2,SRIOV_NET_VF:1&required={traits}",
                    candidates,
                    "cn n0 n1 pf0 pf1" if candidates else "",
                )
                for traits, candidates in (
                    ("HW_NIC_OFFLOAD_GENEVE", "cn+pf1"),
                    ("HW_NIC_OFFLOAD_GENEVE,CUSTOM_HOST", "cn+pf1"),
                    ("!HW_NIC_OFFLOAD_GENEVE", "cn+pf0"),
                    # Nothing comes from n1.
                    ("CUSTOM_NUMA", ""),
                )
            ),
            ("resources=VCPU:2&required=HW_NIC_OFFLOAD_GENEVE", "", ""),
            (
                "resources=VCPU:2&required=!HW_NIC_OFFLOAD_GENEVE",
                "cn{VCPU:2}",
                "cn n0 n1 pf0 pf1",
            ),
            # An amount is never split.
            ("resources=SRIOV_NET_VF:9", "", ""),
            ("resources=SRIOV_NET_VF:1 @1.29", "pf0 ; pf1", "cn n0 n1 pf0 pf1"),
            ("resources=SRIOV_NET_VF:1 @1.28", "pf0 ; pf1", "pf0 pf1"),
            ("resources=VCPU:2,SRIOV_NET_VF:1 @1.28", "", ""),
        ],
    ),
    Example(
        "two classes over two children",
        """
        cn
          n0  VCPU=4 MEMORY_MB=512
          n1  VCPU=4 MEMORY_MB=512  CUSTOM_FAST
        """,
        [
            (
                "resources=VCPU:1,MEMORY_MB:64",
                "n0{VCPU:1,MEMORY_MB:64} | ''->n0 ;"
                "n0{VCPU:1} + n1{MEMORY_MB:64} | ''->n0,n1 ;"
                "n1{VCPU:1} + n0{MEMORY_MB:64} | ''->n0,n1 ;"
                "n1{VCPU:1,MEMORY_MB:64} | ''->n1",
                "cn n0 n1",
            ),
            (
                "resources=VCPU:1,MEMORY_MB:64&required=CUSTOM_FAST",
                "n0{VCPU:1} + n1{MEMORY_MB:64} ; n1{VCPU:1} + n0{MEMORY_MB:64} ;"
                "n1{VCPU:1,MEMORY_MB:64}",
            ),
            (
                "resources=VCPU:1,MEMORY_MB:64&required=!CUSTOM_FAST",
                "n0{VCPU:1,MEMORY_MB:64}",
            ),
            (
                "resources=VCPU:1,MEMORY_MB:64 @1.28",
                "n0{VCPU:1,MEMORY_MB:64} ; n1{VCPU:1,MEMORY_MB:64}",
                "n0 n1",
            ),
            (
                "resources1=VCPU:1,MEMORY_MB:64",
                "n0{VCPU:1,MEMORY_MB:64} ; n1{VCPU:1,MEMORY_MB:64}",
            ),
        ],
    ),
    Example(
        "groups with suffixes, isolated or not",
        """
        cn     VCPU=4
          pf1  SRIOV_NET_VF=2  CUSTOM_P1
          pf2  SRIOV_NET_VF=2  CUSTOM_P1 CUSTOM_P2
        """,
        [
            *(
                (
                    f"resources1=SRIOV_NET_VF:1&resources2=SRIOV_NET_VF:1"
                    f"&group_policy={policy} @{version}",
                    candidates,
                    told,
                )
                for policy, version, candidates, told in (
                    (
                        "none",
                        "1.39",
                        "pf1{SRIOV_NET_VF:1} + pf2{SRIOV_NET_VF:1} | 1->pf1 2->pf2 ;"
                        "pf1{SRIOV_NET_VF:1} + pf2{SRIOV_NET_VF:1} | 1->pf2 2->pf1 ;"
                        "pf1{SRIOV_NET_VF:2} | 1->pf1 2->pf1 ;"
                        "pf2{SRIOV_NET_VF:2} | 1->pf2 2->pf2",
                        "cn pf1 pf2",
                    ),
                    # They are told apart even where the mappings aren't told.
                    (
                        "none",
                        "1.29",
                        "pf1{SRIOV_NET_VF:1} + pf2{SRIOV_NET_VF:1} ;"
                        "pf1{SRIOV_NET_VF:1} + pf2{SRIOV_NET_VF:1} ;"
                        "pf1{SRIOV_NET_VF:2} ; pf2{SRIOV_NET_VF:2}",
                        "cn pf1 pf2",
                    ),
                    ("none", "1.25", "pf1{SRIOV_NET_VF:2} ; pf2{SRIOV_NET_VF:2}", "pf1 pf2"),
                    (
                        "isolate",
                        "1.39",
                        "pf1{SRIOV_NET_VF:1} + pf2{SRIOV_NET_VF:1} | 1->pf1 2->pf2 ;"
                        "pf1{SRIOV_NET_VF:1} + pf2{SRIOV_NET_VF:1} | 1->pf2 2->pf1",
                        "cn pf1 pf2",
                    ),
                )
            ),
            (
                "resources1=SRIOV_NET_VF:1&resources2=SRIOV_NET_VF:2&group_policy=none",
                "pf1{SRIOV_NET_VF:1} + pf2{SRIOV_NET_VF:2} | 1->pf1 2->pf2 ;"
                "pf1{SRIOV_NET_VF:2} + pf2{SRIOV_NET_VF:1} | 1->pf2 2->pf1",
            ),
            (
                "resources1=SRIOV_NET_VF:1&required1=CUSTOM_P2"
                "&resources2=SRIOV_NET_VF:1&required2=CUSTOM_P1&group_policy=none",
                "pf1{SRIOV_NET_VF:1} + pf2{SRIOV_NET_VF:1} | 1->pf2 2->pf1 ;"
                "pf2{SRIOV_NET_VF:2} | 1->pf2 2->pf2",
            ),
            (
                "resources1=SRIOV_NET_VF:1&required1=CUSTOM_P2"
                "&resources2=SRIOV_NET_VF:1&required2=CUSTOM_P1&group_policy=isolate",
                "pf1{SRIOV_NET_VF:1} + pf2{SRIOV_NET_VF:1} | 1->pf2 2->pf1",
            ),
            (
                "resources=VCPU:1&resources1=SRIOV_NET_VF:1&resources2=SRIOV_NET_VF:1"
                "&group_policy=isolate",
                "cn{VCPU:1} + pf1{SRIOV_NET_VF:1} + pf2{SRIOV_NET_VF:1}"
                " | ''->cn 1->pf1 2->pf2 ;"
                "cn{VCPU:1} + pf1{SRIOV_NET_VF:1} + pf2{SRIOV_NET_VF:1}"
                " | ''->cn 1->pf2 2->pf1",
            ),
            (
                "resources=SRIOV_NET_VF:1&resources1=SRIOV_NET_VF:1&group_policy=none",
                "pf1{SRIOV_NET_VF:1} + pf2{SRIOV_NET_VF:1} | ''->pf1 1->pf2 ;"
                "pf1{SRIOV_NET_VF:1} + pf2{SRIOV_NET_VF:1} | ''->pf2 1->pf1 ;"
                "pf1{SRIOV_NET_VF:2} | ''->pf1 1->pf1 ;"
                "pf2{SRIOV_NET_VF:2} | ''->pf2 1->pf2",
            ),
            (
                "resources=SRIOV_NET_VF:1&required=CUSTOM_P2&resources1=SRIOV_NET_VF:1"
                "&group_policy=none",
                "pf1{SRIOV_NET_VF:1} + pf2{SRIOV_NET_VF:1} | ''->pf2 1->pf1 ;"
                "pf2{SRIOV_NET_VF:2} | ''->pf2 1->pf2",
            ),
            # A trait has to come from a provider of the group itself.
            ("resources=VCPU:1&required=CUSTOM_P2&resources1=SRIOV_NET_VF:1", "", ""),
            ("resources=SRIOV_NET_VF:3", "", ""),
        ],
    ),
    Example(
        "member_of: a root counts for its tree, except to groups with a suffix",
        """
        cn1   agg A
          n1  VCPU=4  agg C
          n2  VCPU=4
        cn2   agg A,B
          m1  VCPU=4
        ss1   DISK_GB=100 SHARE  agg A
        ss2   DISK_GB=100 SHARE  agg C
        """,
        [
            *(
                (f"resources=VCPU:1,DISK_GB:10{more}", candidates)
                for more, candidates in (
                    # ss2 serves all of cn1's tree, through n1.
                    ("", "n1+ss1 ; n2+ss1 ; m1+ss1 ; n1+ss2 ; n2+ss2"),
                    ("&member_of=A", "n1+ss1 ; n2+ss1 ; m1+ss1"),
                    # m1 is one through cn2, ss1 is none.
                    ("&member_of=B", ""),
                    # That n1 is one does nothing for n2.
                    ("&member_of=C", "n1+ss2"),
                    ("&member_of=in:A,C", "n1+ss1 ; n2+ss1 ; m1+ss1 ; n1+ss2 ; n2+ss2"),
                    ("&member_of=A&member_of=C", ""),
                    ("&member_of=!A", ""),
                    ("&member_of=!B", "n1+ss1 ; n1+ss2 ; n2+ss1 ; n2+ss2"),
                    ("&member_of=!C", "n2+ss1 ; m1+ss1"),
                    ("&member_of=in:A,B&member_of=!C", "n2+ss1 ; m1+ss1"),
                    ("&member_of=unknown", ""),
                    ("&member_of=!unknown", "n1+ss1 ; n2+ss1 ; m1+ss1 ; n1+ss2 ; n2+ss2"),
                    ("&member_of=in:A,unknown", "n1+ss1 ; n2+ss1 ; m1+ss1"),
                    ("&member_of=A&member_of=!A", ""),
                )
            ),
            ("resources=VCPU:1&member_of=A", "n1 ; n2 ; m1"),
            ("resources1=VCPU:1&member_of1=A", ""),
            ("resources1=VCPU:1&member_of1=C", "n1"),
            ("resources1=VCPU:1&member_of1=!A", "n1 ; n2 ; m1"),
            ("resources1=VCPU:1&member_of1=!C", "n2 ; m1"),
            # The root of the tree need be in none.
            ("resources=VCPU:1&resources1=DISK_GB:10&member_of1=C", "n1+ss2 ; n2+ss2"),
            ("resources=VCPU:1&resources1=DISK_GB:10&member_of1=!C", "n1+ss1 ; n2+ss1 ; m1+ss1"),
            ("resources=VCPU:1&member_of=B&resources1=DISK_GB:10", "m1+ss1"),
            ("resources=DISK_GB:10&member_of=!A", "ss2"),
        ],
    ),
    Example(
        "member_of: one of a pair has to be in all",
        """
        r    agg A
          k  VCPU=4  agg B
        """,
        [
            ("resources=VCPU:1&member_of=A", "k"),
            ("resources=VCPU:1&member_of=B", "k"),
            ("resources=VCPU:1&member_of=A&member_of=B", ""),
        ],
    ),
    Example(
        "member_of: an ancestor that is no root doesn't count",
        """
        r
          m    agg A
            k  VCPU=4
        """,
        [("resources=VCPU:1&member_of=A", ""), ("resources=VCPU:1&member_of=!A", "k")],
    ),
    Example(
        "in_tree",
        """
        cn1  DISK_GB=50  agg A
          n1  VCPU=4
          n2  VCPU=4
        cn2  agg A
          m1  VCPU=4
        ss1  DISK_GB=100 SHARE  agg A
        """,
        [
            (
                "resources=VCPU:1,DISK_GB:10",
                "n1+cn1 ; n2+cn1 ; n1+ss1 ; n2+ss1 ; m1+ss1",
                "cn1 n1 n2 cn2 m1 ss1",
            ),
            ("resources=VCPU:1,DISK_GB:10&in_tree=cn1", "n1+cn1 ; n2+cn1", "cn1 n1 n2"),
            ("resources=VCPU:1,DISK_GB:10&in_tree=n1", "n1+cn1 ; n2+cn1", "cn1 n1 n2"),
            ("resources=VCPU:1,DISK_GB:10&in_tree=cn2", "", ""),
            ("resources=VCPU:1,DISK_GB:10&in_tree=ss1", "", ""),
            ("resources=VCPU:1,DISK_GB:10&in_tree=unknown", "", ""),
            ("resources=DISK_GB:10&in_tree=ss1", "ss1", "ss1"),
            (
                "resources=VCPU:1&in_tree=cn1&resources1=DISK_GB:10",
                "n1+cn1 ; n2+cn1 ; n1+ss1 ; n2+ss1",
                "cn1 n1 n2 ss1",
            ),
            (
                "resources=VCPU:1&resources1=DISK_GB:10&in_tree1=ss1",
                "n1+ss1 ; n2+ss1 ; m1+ss1",
                "cn1 n1 n2 cn2 m1 ss1",
            ),
            (
                "resources1=VCPU:1&in_tree1=n2&resources2=DISK_GB:10&in_tree2=ss1"
                "&group_policy=isolate",
                "n1+ss1 ; n2+ss1",
                "cn1 n1 n2 ss1",
            ),
            (
                "resources1=VCPU:1&in_tree1=m1&resources2=DISK_GB:10&in_tree2=cn1"
                "&group_policy=none",
                "",
                "",
            ),
        ],
    ),
    Example(
        "same_subtree, and groups without resources",
        """
        cn      CUSTOM_HOST
          n0    VCPU=4  HW_NUMA_ROOT
            f0  FPGA=1
          n1    VCPU=4  HW_NUMA_ROOT CUSTOM_FAST
            f1  FPGA=1
            f2  FPGA=1
        """,
        [
            (
                "resources_C=VCPU:1&resources_F=FPGA:1&group_policy=none",
                "n0+f0 ; n0+f1 ; n0+f2 ; n1+f0 ; n1+f1 ; n1+f2",
                "cn n0 f0 n1 f1 f2",
            ),
            (
                "resources_C=VCPU:1&resources_F=FPGA:1&group_policy=none&same_subtree=_C,_F",
                "n0+f0 ; n1+f1 ; n1+f2",
                "cn n0 f0 n1 f1 f2",
            ),
            *(
                (
                    "required_N=HW_NUMA_ROOT&resources_F1=FPGA:1&resources_F2=FPGA:1"
                    f"&same_subtree=_N,_F1,_F2&group_policy={policy}",
                    "f1{FPGA:1} + f2{FPGA:1} | _N->n1 _F1->f1 _F2->f2 ;"
                    "f1{FPGA:1} + f2{FPGA:1} | _N->n1 _F1->f2 _F2->f1",
                    "cn n0 f0 n1 f1 f2",
                )
                for policy in ("isolate", "none")
            ),
            (
                "required_N=CUSTOM_FAST&resources_C=VCPU:1&resources_F=FPGA:1"
                "&same_subtree=_N,_C&same_subtree=_N,_F&group_policy=none",
                "n1{VCPU:1} + f1{FPGA:1} | _N->n1 _C->n1 _F->f1 ;"
                "n1{VCPU:1} + f2{FPGA:1} | _N->n1 _C->n1 _F->f2",
            ),
            (
                "required_H=CUSTOM_HOST&resources_C=VCPU:1&resources_F=FPGA:1"
                "&same_subtree=_H,_C,_F&group_policy=isolate",
                " ; ".join(
                    f"{n}{{VCPU:1}} + {f}{{FPGA:1}} | _H->cn _C->{n} _F->{f}"
                    for n in ("n0", "n1")
                    for f in ("f0", "f1", "f2")
                ),
            ),
            # The common ancestor has to be one of those chosen.
            (
                "resources_F1=FPGA:1&resources_F2=FPGA:1&same_subtree=_F1,_F2&group_policy=none",
                "",
                "",
            ),
            (
                "required_N=HW_NUMA_ROOT&resources_C=VCPU:1&same_subtree=_N,_C&group_policy=none",
                "n0{VCPU:1} | _C->n0 _N->n0 ; n1{VCPU:1} | _C->n1 _N->n1",
            ),
            (
                "required_N=HW_NUMA_ROOT&resources_C=VCPU:1&same_subtree=_N,_C"
                "&group_policy=isolate",
                "",
                "",
            ),
            (
                "required_N=CUSTOM_FAST&resources=VCPU:1&same_subtree=_N",
                "n0{VCPU:1} | ''->n0 _N->n1 ; n1{VCPU:1} | ''->n1 _N->n1",
            ),
            (
                "required_N=HW_NUMA_ROOT&resources_C=VCPU:1&same_subtree=_N&group_policy=none",
                "n0{VCPU:1} | _C->n0 _N->n0 ; n0{VCPU:1} | _C->n0 _N->n1 ;"
                "n1{VCPU:1} | _C->n1 _N->n0 ; n1{VCPU:1} | _C->n1 _N->n1",
            ),
            # A group without resources has to want a trait or an aggregate.
            ("required_N=!CUSTOM_FAST&resources=VCPU:1&same_subtree=_N", "", ""),
            ("member_of_N=!A&resources=VCPU:1&same_subtree=_N", "", ""),
            ("in_tree_N=cn&resources=VCPU:1&same_subtree=_N", "", ""),
            (
                "in_tree_N=unknown&required_N=CUSTOM_FAST&resources=VCPU:1&same_subtree=_N",
                "",
                "",
            ),
        ],
    ),
    Example(
        "in_tree of a group without resources only has to exist",
        """
        cn    VCPU=4
          n1  CUSTOM_FAST
        other
        """,
        [
            (
                "in_tree_N=other&required_N=CUSTOM_FAST&resources=VCPU:1&same_subtree=_N",
                "cn{VCPU:1} | ''->cn _N->n1",
                "cn n1",
            ),
        ],
    ),
    Example(
        "root_required, and who shares",
        """
        cn1   CUSTOM_GOLD  agg A
          n1  VCPU=4  CUSTOM_FOO
        cn2   VCPU=4 DISK_GB=50  CUSTOM_FOO  agg A
        ss1   DISK_GB=100  SHARE CUSTOM_GOLD  agg A
        """,
        [
            *(
                (f"resources=VCPU:1,DISK_GB:10{more}", candidates, told)
                for more, candidates, told in (
                    ("", "n1+ss1 ; cn2 ; cn2+ss1", "cn1 n1 cn2 ss1"),
                    ("&root_required=CUSTOM_GOLD", "n1+ss1", "cn1 n1 ss1"),
                    ("&root_required=CUSTOM_FOO", "cn2 ; cn2+ss1", "cn2 ss1"),
                    ("&root_required=!CUSTOM_GOLD", "cn2 ; cn2+ss1", "cn2 ss1"),
                    ("&root_required=!SHARE", "n1+ss1 ; cn2 ; cn2+ss1", "cn1 n1 cn2 ss1"),
                    ("&required=CUSTOM_FOO&root_required=!CUSTOM_FOO", "n1+ss1", "cn1 n1 ss1"),
                    ("&root_required=HW_NUMA_ROOT", "", ""),
                )
            ),
            # Found under cn2.
            (
                "resources1=DISK_GB:60&root_required=CUSTOM_FOO",
                "ss1{DISK_GB:60} | 1->ss1",
                "ss1",
            ),
            ("resources=DISK_GB:10&root_required=!SHARE", "cn2 ; ss1", "cn2 ss1"),
        ],
    ),
    Example(
        "sums over groups",
        """
        cn    VCPU=8 min_unit 2 max_unit 4
          g0  VGPU=4 max_unit 2
          g1  VGPU=4 used 2
        """,
        [
            (
                "resources=VCPU:2&resources1=VCPU:2&group_policy=none",
                "cn{VCPU:4} | ''->cn 1->cn",
            ),
            ("resources=VCPU:2&resources1=VCPU:4&group_policy=none", "", ""),
            # The least amount holds for each group by itself.
            ("resources=VCPU:1&resources1=VCPU:2&group_policy=none", "", ""),
            (
                "resources1=VGPU:1&resources2=VGPU:1&resources3=VGPU:1&group_policy=none",
                "g0{VGPU:2} + g1{VGPU:1} | 1->g0 2->g0 3->g1 ;"
                "g0{VGPU:2} + g1{VGPU:1} | 1->g0 2->g1 3->g0 ;"
                "g0{VGPU:2} + g1{VGPU:1} | 1->g1 2->g0 3->g0 ;"
                "g0{VGPU:1} + g1{VGPU:2} | 1->g0 2->g1 3->g1 ;"
                "g0{VGPU:1} + g1{VGPU:2} | 1->g1 2->g0 3->g1 ;"
                "g0{VGPU:1} + g1{VGPU:2} | 1->g1 2->g1 3->g0",
            ),
            (
                "resources1=VGPU:2&resources2=VGPU:1&group_policy=none",
                "g0{VGPU:2} + g1{VGPU:1} | 1->g0 2->g1 ; g0{VGPU:1} + g1{VGPU:2} | 1->g1 2->g0",
            ),
            ("resources1=VGPU:3&group_policy=none", "", ""),
        ],
    ),
    Example(
        "any of several traits",
        """
        cn1  VCPU=4             HW_CPU_X86_AVX CUSTOM_X                   agg A
        cn2  VCPU=4 DISK_GB=10  HW_CPU_X86_SSE                            agg A
        cn3  VCPU=4 DISK_GB=10  HW_CPU_X86_AVX HW_CPU_X86_SSE CUSTOM_BAD
        ss   DISK_GB=100        SHARE STORAGE_DISK_SSD                    agg A
        """,
        [
            ("resources=VCPU:1&required=in:HW_CPU_X86_AVX,HW_CPU_X86_SSE", "cn1 ; cn2 ; cn3"),
            (
                "resources=VCPU:1&required=in:HW_CPU_X86_AVX,HW_CPU_X86_SSE&required=!CUSTOM_BAD",
                "cn1 ; cn2",
            ),
            ("resources=VCPU:1&required=HW_CPU_X86_AVX&required=HW_CPU_X86_SSE", "cn3"),
            (
                "resources=VCPU:1&required=HW_CPU_X86_AVX&required=HW_CPU_X86_SSE @1.38",
                "cn2 ; cn3",
            ),
            (
                "resources=VCPU:1,DISK_GB:5&required=in:STORAGE_DISK_SSD,HW_CPU_X86_SSE",
                "cn1+ss ; cn2 ; cn2+ss ; cn3",
            ),
            ("resources=VCPU:1,DISK_GB:5&required=HW_CPU_X86_AVX,STORAGE_DISK_SSD", "cn1+ss"),
            (
                "resources1=VCPU:1&required1=in:HW_CPU_X86_AVX,STORAGE_DISK_SSD"
                "&resources2=DISK_GB:5&required2=in:HW_CPU_X86_AVX,STORAGE_DISK_SSD"
                "&group_policy=none",
                "cn1+ss ; cn3",
            ),
        ],
    ),
    Example(
        "required traits from wherever a class comes from",
        """
        cn  VCPU=4       STORAGE_DISK_SSD   agg A
        ss  DISK_GB=100  SHARE CUSTOM_RAID  agg A
        """,
        [("resources=VCPU:1,DISK_GB:5&required=STORAGE_DISK_SSD,CUSTOM_RAID", "cn+ss")],
    ),
    Example(
        "aggregates of children, and two sharing providers brought together",
        """
        cn1
          n1  VCPU=4  agg A
          n2  VCPU=4  agg B
        ss1   DISK_GB=100      SHARE  agg A
        ss2   IPV4_ADDRESS=10  SHARE  agg B
        ss3   IPV4_ADDRESS=10  SHARE  agg C
        """,
        [
            ("resources=VCPU:1,DISK_GB:10", "n1+ss1 ; n2+ss1", "cn1 n1 n2 ss1"),
            ("resources=VCPU:1,DISK_GB:10 @1.28", "n1+ss1 ; n2+ss1", "n1 n2 ss1"),
            (
                "resources=VCPU:1,DISK_GB:10,IPV4_ADDRESS:1",
                "n1+ss1+ss2 ; n2+ss1+ss2",
                "cn1 n1 n2 ss1 ss2",
            ),
            # Under cn1, which serves nothing.
            ("resources=DISK_GB:10,IPV4_ADDRESS:1", "ss1+ss2", "ss1 ss2"),
            ("resources=DISK_GB:10,IPV4_ADDRESS:1 @1.10", "ss1+ss2", "ss1 ss2"),
            (
                "resources1=DISK_GB:10&resources2=IPV4_ADDRESS:1&group_policy=isolate",
                "ss1+ss2",
                "ss1 ss2",
            ),
            ("resources=IPV4_ADDRESS:1", "ss2 ; ss3", "ss2 ss3"),
        ],
    ),
    Example(
        "a sharing provider with a child that shares nothing",
        """
        cn1    VCPU=4       agg A
        ss1    DISK_GB=100  SHARE CUSTOM_S  agg A
          ssk  IPV4_ADDRESS=5
        """,
        [
            ("resources=VCPU:1,DISK_GB:10", "cn1+ss1", "cn1 ss1 ssk"),
            ("resources=VCPU:1,DISK_GB:10 @1.28", "cn1+ss1", "cn1 ss1"),
            ("resources=VCPU:1,IPV4_ADDRESS:1", "", ""),
            ("resources=DISK_GB:10,IPV4_ADDRESS:1", "ss1+ssk", "ss1 ssk"),
            ("resources=DISK_GB:10,IPV4_ADDRESS:1 @1.28", "", ""),
        ],
    ),
    Example(
        "a sharing provider for a group without resources",
        """
        cn1  VCPU=4                       agg A
        ss1  DISK_GB=100  SHARE CUSTOM_S  agg A
        """,
        [
            # It serves nothing, so that nothing is told of it.
            (
                "resources=VCPU:1&required_S=CUSTOM_S&same_subtree=_S",
                "cn1{VCPU:1} | ''->cn1 _S->ss1",
                "cn1",
            ),
            (
                "resources_V=VCPU:1&required_S=CUSTOM_S&same_subtree=_S,_V&group_policy=none",
                "",
                "",
            ),
            (
                "resources_V=DISK_GB:1&required_S=CUSTOM_S&same_subtree=_S,_V&group_policy=none",
                "ss1{DISK_GB:1} | _V->ss1 _S->ss1",
                "ss1",
            ),
        ],
    ),
    Example(
        "sharing providers that serve each other",
        """
        ss1  IPV4_ADDRESS=24 SRIOV_NET_VF=16 DISK_GB=1600  SHARE  agg A
        ss2  SRIOV_NET_VF=16 DISK_GB=1600                  SHARE  agg A
        """,
        [
            *(
                (
                    f"resources=IPV4_ADDRESS:2,SRIOV_NET_VF:1,DISK_GB:1500 @{version}",
                    "ss1{IPV4_ADDRESS:2,SRIOV_NET_VF:1,DISK_GB:1500} ;"
                    "ss1{IPV4_ADDRESS:2,SRIOV_NET_VF:1} + ss2{DISK_GB:1500} ;"
                    "ss1{IPV4_ADDRESS:2,DISK_GB:1500} + ss2{SRIOV_NET_VF:1} ;"
                    "ss1{IPV4_ADDRESS:2} + ss2{SRIOV_NET_VF:1,DISK_GB:1500}",
                )
                for version in ("1.10", "1.28", "1.39")
            ),
            (
                "resources1=IPV4_ADDRESS:2&resources2=DISK_GB:1500&group_policy=none",
                "ss1{IPV4_ADDRESS:2,DISK_GB:1500} | 1->ss1 2->ss1 ;"
                "ss1{IPV4_ADDRESS:2} + ss2{DISK_GB:1500} | 1->ss1 2->ss2",
                "ss1 ss2",
            ),
        ],
    ),
    Example(
        "a sharing provider in two aggregates",
        """
        cn1  VCPU=24              agg A
        cn2  VCPU=24              agg B
        ss   DISK_GB=1600  SHARE  agg A,B
        """,
        [
            ("resources=VCPU:2,DISK_GB:1500", "cn1+ss ; cn2+ss"),
            ("resources=VCPU:2,DISK_GB:1500&member_of=A", "cn1+ss"),
        ],
    ),
    Example(
        "a common aggregate without the trait, and the trait without a common aggregate",
        """
        n1  VCPU=4  agg A
        m1  CUSTOM_MAGIC=4  agg A
        n2  VCPU=4
        m2  CUSTOM_MAGIC=4  SHARE
        """,
        [("resources=VCPU:1,CUSTOM_MAGIC:1", "", "")],
    ),
    Example(
        "forbidden aggregates of flat providers",
        """
        cn1  VCPU=8  agg A,C
        cn2  VCPU=8  agg A,B
        cn3  VCPU=8
        """,
        [
            ("resources=VCPU:1&member_of=!C @1.32", "cn2 ; cn3", "cn2 cn3"),
            ("resources=VCPU:1&member_of=!in:B,C @1.32", "cn3", "cn3"),
            ("resources=VCPU:1&member_of=!B&member_of=C @1.32", "cn1", "cn1"),
            ("resources=VCPU:1&member_of=!in:B,C&member_of=A @1.32", "", ""),
            ("resources=VCPU:1&member_of=!B&member_of=in:B,C @1.32", "cn1", "cn1"),
            ("resources=VCPU:1&member_of=!B&member_of=B @1.32", "", ""),
        ],
    ),
    # --- where the published service doesn't give what it means to -------------------------------
    Example(
        "a choice of the group without a suffix that is possible under several roots",
        """
        cn1  VCPU=4              agg A
        cn2  VCPU=4              agg A
        ss   DISK_GB=100  SHARE  agg A
        """,
        [
            ("resources=DISK_GB:10&resources1=VCPU:1", "cn1+ss ; cn2+ss"),
            ("resources2=DISK_GB:10&resources1=VCPU:1&group_policy=none", "cn1+ss ; cn2+ss"),
        ],
    ),
    Example(
        "the same class with and without a suffix, without a policy",
        """
        cn   VCPU=8              agg A
        ss1  DISK_GB=100  SHARE  agg A
        ss2  DISK_GB=100  SHARE  agg A
        ss3  DISK_GB=100  SHARE  agg A
        """,
        [
            (
                "resources=VCPU:1,DISK_GB:10&resources1=VCPU:1",
                " ; ".join(f"cn{{VCPU:2}} + ss{n}{{DISK_GB:10}}" for n in (1, 2, 3)),
            )
        ],
    ),
    Example(
        "the same class with and without a suffix, on two children, without a policy",
        """
        cn
          pf1  SRIOV_NET_VF=8
          pf2  SRIOV_NET_VF=8
        """,
        [
            (
                "resources=SRIOV_NET_VF:1&resources1=SRIOV_NET_VF:1",
                "pf1{SRIOV_NET_VF:1} + pf2{SRIOV_NET_VF:1} ;"
                "pf1{SRIOV_NET_VF:1} + pf2{SRIOV_NET_VF:1} ;"
                "pf1{SRIOV_NET_VF:2} ; pf2{SRIOV_NET_VF:2}",
            )
        ],
    ),
    Example(
        "a sharing provider that is no root",
        """
        cn1        VCPU=4              agg A
        shroot
          shchild  DISK_GB=100  SHARE  agg A
        """,
        [
            ("resources=VCPU:1,DISK_GB:10", "cn1+shchild", "cn1 shroot shchild"),
            ("resources=VCPU:1&resources1=DISK_GB:10", "cn1+shchild", "cn1 shroot shchild"),
        ],
    ),
    Example(
        "groups that fit together only if nothing were used",
        "cn  VCPU=8 max_unit 4 used 5",
        [("resources1=VCPU:2&resources2=VCPU:2&group_policy=none", "", "")],
    ),
    Example(
        "amounts beyond what a database holds",
        "cn  VCPU=8",
        [
            (f"resources=VCPU:{2**63 - 1}", "", ""),
            (f"resources=VCPU:{2**63}", "", ""),
            (f"resources=VCPU:{10**30}", "", ""),
        ],
    ),
]


def cases() -> Iterator[object]:
    for example in EXAMPLES:
        for query, candidates, *told in example.cases:
            yield pytest.param(
                example.cloud, query, candidates, *(told or [None]), id=f"{example.title}: {query}"
            )


@pytest.mark.parametrize(("cloud", "query", "candidates", "told"), [*cases()])
def test_example(cloud: str, query: str, candidates: str, told: str | None) -> None:
    parsed = parse(cloud)
    text, _, version = query.partition("@")
    request = request_of(text, version or "1.39")
    answer = search(forest_of(parsed), request)
    got = found.candidates(parsed, answer)
    assert written.as_in(candidates, got) == written.parts(candidates)
    assert {*got} == Reference(parsed).candidates(request)
    if told is not None:
        assert found.summaries(answer) == found.told(parsed, told.split())
