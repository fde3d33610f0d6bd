from skyreid.files.regular_file import names_in


def test_what_the_system_leaves_in_a_folder_is_not_listed(tmp_path):
    """Kind B8: folders that a Mac, Windows or a network drive has shown."""
    for name in ("0002.jpg", "0001.jpg", ".DS_Store", "Thumbs.db", "._0001.jpg", "desktop.ini", ".hidden"):
        (tmp_path / name).touch()
    (tmp_path / "@eaDir").mkdir()
    assert names_in(tmp_path) == [".hidden", "0001.jpg", "0002.jpg"]
