"""What the product costs on AWS: list prices times counted quantities, in exact decimals."""
