def main() -> str:
    return "hello"
