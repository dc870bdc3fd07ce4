from greeter import handler


def test_greets_the_world(monkeypatch):
    monkeypatch.setenv("GREETING", "Hello")
    assert handler({}, None) == "Hello, world"
