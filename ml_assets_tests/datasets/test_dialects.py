"""How a stranger's text is written: encoding, delimiter, decimal mark, header."""

from __future__ import annotations

import pytest

from ml_assets.datasets.reading.dialect import sniff
from ml_assets.datasets.reading.encoding import detected_encoding, utf8_body
from ml_assets.errors import SourceError

GERMAN = "Straße;Größe;Preis\n" + "Köln;fünf;3,50 €\nMünchen;zwölf;1,20 €\nZürich;acht;9,00\n" * 3
RUSSIAN = "имя;город;возраст\n" + "Иван;Москва;34\nОльга;Санкт-Петербург;29\nСергей;Новосибирск;51\n" * 4
POLISH = "imię;miasto\n" + "Łukasz;Łódź\nMałgorzata;Kraków\nStanisław;Gdańsk\nŻaneta;Poznań\n" * 2
FRENCH = "prénom,âge,ville\nHélène,34,Orléans\nFrançois,41,Besançon\nZoé,22,Nîmes\n"
GREEK = "όνομα;πόλη\n" + "Γιώργος;Αθήνα\nΜαρία;Θεσσαλονίκη\n" * 3
JAPANESE = "名前,都市,年齢\n" + "佐藤,東京,34\n鈴木,大阪,29\n高橋,名古屋,41\n" * 3
CHINESE = "姓名,城市,年龄\n" + "王伟,北京,34\n李娜,上海,29\n张敏,广州,41\n" * 3
SYMBOLS = "temp °C;x µm;±\n20;3;1\n21;4;1\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (GERMAN, "cp1252"),
        (FRENCH, "latin-1"),
        (SYMBOLS, "cp1252"),
        ("a,b\n1,café\n", "cp1252"),
        ("name;ort\nMüller;Köln\n", "cp1252"),
        (POLISH, "cp1250"),
        (RUSSIAN, "cp1251"),
        (GREEK, "cp1253"),
        (JAPANESE, "shift_jis"),
        (CHINESE, "gb18030"),
        *(
            (text, encoding)
            for text in (GERMAN, RUSSIAN, JAPANESE, "a,b\n1,2\n")
            for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")
        ),
    ],
)
def test_texts_come_out_whatever_their_encoding(text: str, encoding: str) -> None:
    content = text.encode(encoding)
    assert utf8_body(content, detected_encoding(content), origin="x").decode() == text


def test_any_bytes_have_some_encoding() -> None:
    content = bytes(byte for byte in range(1, 256)) * 3
    assert len(utf8_body(content, detected_encoding(content), origin="x")) > len(content)


@pytest.mark.parametrize(
    ("content", "encoding", "reason"),
    [
        (b"a,b\n1,caf\xe9\n", "utf-8", r"byte 9 \(0xe9, line 2\) is not UTF-8: save the file as UTF-8, or name its"),
        ("a,b\n1,2\n".encode("utf-16"), "utf-8", "byte 0 begins a UTF-16 file"),
        (b"a,b\n1,\x81\n", "cp1252", r"byte 6 \(0x81, line 2\) is not CP1252"),
        (b"a,b\n1,2\n3", "utf-16", "is not UTF-16"),
        (b"a,b\n", "klingon", "'klingon' is no encoding: name one such as"),
        (b"a,b\n", "rot13", "is no encoding|is not ROT"),
        (b"a\0b\n1\n", "utf-8", r"line 1 has a zero byte \(byte 1\)"),
        (b" \n\n", "utf-8", "is empty"),
    ],
)
def test_a_text_that_is_none_in_its_encoding_is_refused_with_the_place(
    content: bytes, encoding: str, reason: str
) -> None:
    with pytest.raises(SourceError, match=reason):
        utf8_body(content, encoding, origin="x")


def dialect(text: str, **known: list[str]) -> tuple[str, str, bool]:
    found = sniff(text, whole=True, **known)
    return found.delimiter, found.decimal, found.header


@pytest.mark.parametrize(
    ("text", "delimiter", "decimal", "header"),
    [
        ("a,b,c\n1,2.5,x\n3,4.5,y\n", ",", ".", True),
        ("a;b;c\n1;2,5;x\n3;4,5;y\n", ";", ",", True),
        ("1,5;2,5;x\n3,5;4,5;y\n", ";", ",", False),
        ("a\tb\n1,2\t3\n", "\t", ",", True),
        ("a|b|c\n1|2|3\n", "|", ".", True),
        ("a  b   c\n1  2.5 x\n10 2   yy\n", "whitespace", ".", True),
        (" 0.00632  18.00   2.310  0\n 0.02731   0.00   7.070  0\n", "whitespace", ".", False),
        ("5.1,3.5,Iris-setosa\n4.9,3.0,Iris-setosa\n", ",", ".", False),
        ("name,2019,2020\nBerlin,3.5,3.6\nBonn,0.3,0.3\n", ",", ".", True),
        ("city;note\nBonn;a, b, and c\nKiel;d, e\n", ";", ".", True),
        ('"a","b, c"\n"1","2, 3"\n', ",", ".", True),
        ("day,what\n2024-01-05 10:00,x\n2024-01-06 11:00,y\n", ",", ".", True),
        ("2024-01-05,x\n2024-01-06,y\n", ",", ".", False),
        (",a,b\n0,1,2\n1,3,4\n", ",", ".", True),
        ("alone\n1\n2\n", ",", ".", True),
        ('price,what\n"1,234",x\n"5,678",y\n', ",", ".", True),
        ("a;b\n1,5;2.5\n", ";", ".", True),
        ("x", ",", ".", True),
    ],
)
def test_delimiter_decimal_mark_and_header_are_told(text: str, delimiter: str, decimal: str, header: bool) -> None:
    assert dialect(text) == (delimiter, decimal, header)


def test_known_names_decide_where_cells_are_of_no_help() -> None:
    text = "first, last;born, died\nAda, Lovelace;1815, 1852\nMary, Somerville;1780, 1872\n"
    assert dialect(text, known=["first, last", "born, died"])[0] == ";"
    assert dialect(text, known=["first", "died"])[0] == ","


def test_decimal_marks_are_looked_for_in_columns_of_numbers() -> None:
    text = "version;size\n1.2;3,5\n1.3;4,5\n"
    assert dialect(text) == (";", ".", True)
    assert dialect(text, known=["version", "size"], numeric=["size"]) == (";", ",", True)
