-- Hunan and its 14 prefectures: GB/T 2260 codes and the first two characters of their plates.
CREATE TABLE regions (
    region_code text PRIMARY KEY,
    name text NOT NULL,
    english_name text NOT NULL,
    plate_prefix text NOT NULL
);
INSERT INTO regions (region_code, name, english_name, plate_prefix) VALUES
    ('430000', '湖南省', 'Hunan', ''),
    ('430100', '长沙市', 'Changsha', '湘A'),
    ('430200', '株洲市', 'Zhuzhou', '湘B'),
    ('430300', '湘潭市', 'Xiangtan', '湘C'),
    ('430400', '衡阳市', 'Hengyang', '湘D'),
    ('430500', '邵阳市', 'Shaoyang', '湘E'),
    ('430600', '岳阳市', 'Yueyang', '湘F'),
    ('430700', '常德市', 'Changde', '湘J'),
    ('430800', '张家界市', 'Zhangjiajie', '湘G'),
    ('430900', '益阳市', 'Yiyang', '湘H'),
    ('431000', '郴州市', 'Chenzhou', '湘L'),
    ('431100', '永州市', 'Yongzhou', '湘M'),
    ('431200', '怀化市', 'Huaihua', '湘N'),
    ('431300', '娄底市', 'Loudi', '湘K'),
    ('433100', '湘西土家族苗族自治州', 'Xiangxi', '湘U');
