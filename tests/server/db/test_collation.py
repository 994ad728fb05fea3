"""Names stand where people look for them."""

from sqlalchemy import String, column, select, values

from fixtures.stack import DatabaseUrls
from server.db.collation import by_name
from server.db.engine import make_engine


def test_chinese_names_stand_by_pinyin_and_others_by_the_alphabet(
    module_database: DatabaseUrls,
) -> None:
    engine = make_engine(module_database.app, pool_size=1)
    names = ["张伟", "Émile", "阿强", "zoe", "陈静", "Emma", "李娜"]
    listed = values(column("name", String), name="listed").data([(name,) for name in names])
    query = select(listed.c.name).order_by(by_name(listed.c.name))
    try:
        with engine.connect() as connection:
            found = list(connection.scalars(query))
    finally:
        engine.dispose()
    assert [name for name in found if name > "\u4e00"] == ["阿强", "陈静", "李娜", "张伟"]
    assert [name for name in found if name < "\u4e00"] == ["Émile", "Emma", "zoe"]
