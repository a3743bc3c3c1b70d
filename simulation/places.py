"""Public facts the province is made from: places of Hunan with their coordinates, and which expressways join them.

Coordinates are town centres to about a kilometre, WGS-84. The expressways are schematic: their order of places is that
of the road, their course between the places is not.
"""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """A town. `region_code`: its prefecture; `weight`: rough size, for how much traffic it draws."""

    name: str
    longitude: float
    latitude: float
    region_code: str
    weight: float = 1.0


class Expressway(NamedTuple):
    """A road through places in order. `mountainous`: winding, with tunnels and without coverage in parts."""

    name: str
    places: tuple[str, ...]
    mountainous: bool = False


SEATS: tuple[Place, ...] = (
    Place("长沙", 112.9388, 28.2282, "430100", 6.0),
    Place("株洲", 113.1340, 27.8277, "430200", 2.5),
    Place("湘潭", 112.9441, 27.8297, "430300", 2.0),
    Place("衡阳", 112.5719, 26.8934, "430400", 2.5),
    Place("邵阳", 111.4677, 27.2389, "430500", 1.8),
    Place("岳阳", 113.1289, 29.3570, "430600", 2.2),
    Place("常德", 111.6985, 29.0316, "430700", 2.2),
    Place("张家界", 110.4792, 29.1171, "430800", 1.5),
    Place("益阳", 112.3552, 28.5539, "430900", 1.5),
    Place("郴州", 113.0148, 25.7705, "431000", 1.8),
    Place("永州", 111.6134, 26.4204, "431100", 1.5),
    Place("怀化", 110.0016, 27.5696, "431200", 1.6),
    Place("娄底", 111.9945, 27.7000, "431300", 1.4),
    Place("吉首", 109.6973, 28.2621, "433100", 1.2),
)

COUNTIES: tuple[Place, ...] = (
    Place("浏阳", 113.643, 28.164, "430100"),
    Place("宁乡", 112.552, 28.278, "430100"),
    Place("醴陵", 113.497, 27.646, "430200"),
    Place("攸县", 113.346, 27.005, "430200"),
    Place("茶陵", 113.539, 26.778, "430200"),
    Place("韶山", 112.527, 27.915, "430300"),
    Place("湘乡", 112.535, 27.734, "430300"),
    Place("衡山", 112.868, 27.230, "430400"),
    Place("耒阳", 112.860, 26.422, "430400"),
    Place("祁东", 112.090, 26.800, "430400"),
    Place("武冈", 110.632, 26.727, "430500"),
    Place("隆回", 111.032, 27.114, "430500"),
    Place("洞口", 110.576, 27.060, "430500"),
    Place("临湘", 113.450, 29.477, "430600"),
    Place("汨罗", 113.067, 28.807, "430600"),
    Place("平江", 113.581, 28.702, "430600"),
    Place("华容", 112.541, 29.531, "430600"),
    Place("澧县", 111.759, 29.633, "430700"),
    Place("石门", 111.380, 29.584, "430700"),
    Place("桃源", 111.489, 28.903, "430700"),
    Place("慈利", 111.139, 29.430, "430800"),
    Place("桑植", 110.164, 29.400, "430800"),
    Place("安化", 111.213, 28.374, "430900"),
    Place("沅江", 112.355, 28.844, "430900"),
    Place("宜章", 112.949, 25.400, "431000"),
    Place("桂阳", 112.734, 25.754, "431000"),
    Place("永兴", 113.117, 26.127, "431000"),
    Place("汝城", 113.685, 25.553, "431000"),
    Place("祁阳", 111.841, 26.580, "431100"),
    Place("宁远", 111.946, 25.571, "431100"),
    Place("道县", 111.600, 25.527, "431100"),
    Place("江华", 111.579, 25.186, "431100"),
    Place("沅陵", 110.394, 28.453, "431200"),
    Place("溆浦", 110.595, 27.908, "431200"),
    Place("洪江", 109.996, 27.209, "431200"),
    Place("芷江", 109.685, 27.443, "431200"),
    Place("新晃", 109.175, 27.353, "431200"),
    Place("靖州", 109.696, 26.575, "431200"),
    Place("通道", 109.784, 26.158, "431200"),
    Place("涟源", 111.664, 27.692, "431300"),
    Place("新化", 111.327, 27.727, "431300"),
    Place("凤凰", 109.599, 27.948, "433100"),
    Place("永顺", 109.851, 29.001, "433100"),
    Place("龙山", 109.443, 29.458, "433100"),
)

EXPRESSWAYS: tuple[Expressway, ...] = (
    Expressway("G4 京港澳", ("临湘", "岳阳", "汨罗", "长沙", "湘潭", "衡山", "衡阳", "耒阳", "永兴", "郴州", "宜章")),
    Expressway("G5513 长张", ("长沙", "益阳", "常德", "慈利", "张家界")),
    Expressway("G60 沪昆", ("醴陵", "株洲", "湘潭", "湘乡", "邵阳", "隆回", "洞口", "洪江", "怀化", "芷江", "新晃")),
    Expressway("G65 包茂", ("吉首", "凤凰", "怀化", "洪江", "靖州", "通道"), mountainous=True),
    Expressway("G72 泉南", ("茶陵", "衡阳", "祁东", "祁阳", "永州")),
    Expressway("G76 厦蓉", ("汝城", "郴州", "桂阳", "宁远", "道县"), mountainous=True),
    Expressway("G55 二广", ("澧县", "常德", "安化", "涟源", "邵阳", "永州", "宁远")),
    Expressway("G56 杭瑞", ("岳阳", "华容", "常德", "桃源", "沅陵", "吉首"), mountainous=True),
    Expressway("S50 长芷", ("长沙", "宁乡", "韶山", "娄底", "新化", "溆浦", "怀化"), mountainous=True),
    Expressway("G0422 武深", ("平江", "浏阳", "醴陵", "攸县", "茶陵")),
    Expressway("G5515 张南", ("张家界", "永顺", "吉首"), mountainous=True),
    Expressway("G59 呼北", ("石门", "慈利", "安化", "新化", "武冈"), mountainous=True),
    Expressway("长浏", ("长沙", "浏阳")),
    Expressway("益南", ("益阳", "沅江", "华容")),
    Expressway("龙永", ("龙山", "永顺"), mountainous=True),
    Expressway("张桑", ("张家界", "桑植"), mountainous=True),
    Expressway("道贺", ("道县", "江华")),
    Expressway("长韶娄", ("涟源", "娄底", "湘乡")),
    Expressway("洞新", ("洞口", "武冈")),
)

SIGHTS = ("张家界", "凤凰", "韶山", "衡山", "岳阳", "永顺")  # where tour coaches go
INDUSTRY = (
    "临湘",
    "岳阳",
    "株洲",
    "湘潭",
    "衡阳",
    "常德",
    "娄底",
    "永兴",
    "怀化",
    "邵阳",
    "长沙",
)  # loads and unloads hazmat
